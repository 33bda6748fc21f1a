# `make` lists the targets. The environment is .venv, made with PYTHON from REQUIREMENTS, and made anew when these change.
PYTHON ?= python3
REQUIREMENTS ?= requirements.txt
# One stamp for each list, so that asking for another one makes another environment.
STAMP := .venv/installed-$(notdir $(REQUIREMENTS))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# dvc starts the stages with the `python` that it finds first.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(STAMP): $(REQUIREMENTS)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed (TensorFlow has no other), this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(REQUIREMENTS)
	touch $@

install: $(STAMP)  ## create .venv and install the pinned packages

demo: install  ## install, run the whole pipeline on the embedded data, print the results
	dvc repro
	@python -m stages.show

test: .venv/installed-tests  ## install what the tests need and run them
	python -m pytest

.venv/installed-tests: requirements-test.txt $(STAMP)
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

gate: install  ## compare the results under models/ with those of the main branch; GATE="--strict --since COMMIT ..."
	@python -m thorax.gate $(GATE)

lint: install  ## check the style
	ruff check .

lock: requirements.in  ## compile requirements.in to requirements.txt (needs uv)
	uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --quiet -o requirements.txt
	uv pip compile requirements-gpu.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --quiet -o requirements-gpu.txt
	uv pip compile requirements-test.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --quiet -o requirements-test.txt

.PHONY: help install demo test gate lint lock
