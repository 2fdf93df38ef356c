# Trying the grader, and what students get.

.PHONY: check-grader check-class bench-grader check-mistakes fuzz-grader handout docs-check
check-grader: usable-qemu all ## grade all known right and wrong solutions
	@$(PYTHON) tests/grader/matrix.py --causes

check-class: usable-qemu usable-python all ## grade whole classes, also on a cluster, with faults
	@$(PYTHON) -m pytest -m "" -v --durations=10 tests/classroom
	@$(PYTHON) tests/classroom/load.py $(COUNT:%=--count %) $(TESTS:%=-t %) $(SEED:%=--seed %)

# XV6=PATH measures an xv6 tree, too.
bench-grader: usable-qemu all ## show what a full grade costs
	@$(PYTHON) tools/bench_grader.py $(if $(XV6),--xv6 "$(XV6)")

check-mistakes: usable-qemu all ## show what cowtest says about common mistakes
	@$(PYTHON) tests/grader/mistakes.py

RUNS ?= 5000
fuzz-grader: ## feed the grader broken and hostile inputs; RUNS of each kind, from SEED
	@$(PYTHON) tests/grader/fuzz_grader.py --runs $(RUNS) --seed $(or $(SEED),1)

# DEPTH says how much of the lab is left to write.
DEPTH ?= 1
handout: ## write the students' tree into build/handout; DEPTH=1, 2, 3 is how much they write
	@$(PYTHON) tools/handout.py --depth $(DEPTH)

# TEXTS picks some; tools/transcripts.py without --check writes them.
docs-check: usable-qemu all ## compare what documents quote with what commands print now
	@$(PYTHON) tools/transcripts.py --check $(TEXTS)
