# Grading, and what students get.

.PHONY: grade check-grader check-mistakes fuzz-grader handout
grade: ## grade this tree; ./grade-cow --help: submissions
	@./grade-cow

check-grader: usable-qemu all ## grade all known right and wrong solutions
	@$(PYTHON) tests/grader/matrix.py --causes

check-mistakes: usable-qemu all ## what cowtest says about the mistakes that students make most often
	@$(PYTHON) tests/grader/mistakes.py

RUNS ?= 5000
SEED ?= 1
fuzz-grader: ## give the grader broken and hostile inputs; RUNS of each kind, from SEED
	@$(PYTHON) tests/grader/fuzz_grader.py --runs $(RUNS) --seed $(SEED)

# DEPTH says how much of the lab is left to write.
DEPTH ?= 1
handout: ## write the tree for students into build/handout; DEPTH=1, 2, 3 says how much they write
	@$(PYTHON) tools/handout.py --depth $(DEPTH)
