# Grading, and what students get.

.PHONY: grade check-grader check-mistakes handout
grade: ## grade this tree; ./grade-cow --help: submissions
	@./grade-cow

check-grader: usable-qemu all ## grade all known right and wrong solutions
	@$(PYTHON) tests/grader/matrix.py

check-mistakes: usable-qemu all ## what cowtest says about the mistakes that students make most often
	@$(PYTHON) tests/grader/mistakes.py

# DEPTH says how much of the lab is left to write.
DEPTH ?= 1
handout: ## write the tree for students into build/handout; DEPTH=1, 2, 3 says how much they write
	@$(PYTHON) tools/handout.py --depth $(DEPTH)
