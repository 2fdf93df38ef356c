# Packages for course platforms (docs/platforms.md).

# PrairieLearn runs this image, which is built from Dockerfile.
IMAGE_NAME ?=

packages := gradescope autolab prairielearn vpl classroom50 github

.PHONY: $(packages) check-platforms check-docker-steps
gradescope: ## write build/gradescope.zip, an autograder for Gradescope
autolab: ## write build/autolab/, an autograder for Autolab
prairielearn: ## write build/prairielearn.zip, a question for PrairieLearn
vpl: ## write build/vpl/, the execution files for Moodle's VPL
classroom50: ## write build/classroom50/, an autograder for Classroom 50
github: ## write build/github/, a repository and workflows for GitHub Actions
$(packages): usable-python
	@$(PYTHON) tools/platforms/pack.py $@ --depth $(DEPTH) $(if $(IMAGE_NAME),--image $(IMAGE_NAME))

check-platforms: usable-qemu ## grade by each platform's package, with the real grader
	@REAL=1 $(PYTHON) -m pytest -q tests/platforms/test_packages.py

check-docker-steps: ## run the steps of Dockerfile in a fresh Debian (needs root and debootstrap)
	@$(PYTHON) tools/platforms/docker_steps.py
