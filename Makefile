# `make` lists what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := handlers models local tests

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports unit functional format local lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## show the whole job on a local AWS, with nothing leaving this machine
	@$(BIN)/iam26 demo

test: lint types imports unit functional ## everything that must pass before a commit

lint: $(READY) ## style and format
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(READY) ## mypy, strict
	$(BIN)/mypy

imports: $(READY) ## imports point one way
	$(BIN)/lint-imports --no-logo

unit: $(READY) ## tests over fakes, no sockets
	$(BIN)/pytest tests/unit

functional: $(READY) ## real botocore requests against the local AWS
	$(BIN)/pytest tests/local tests/functional -n 2

format: $(READY) ## let ruff fix and format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

local: $(READY) ## start the local AWS, and print what directs the AWS CLI and sam local to it
	@$(BIN)/python -m local

lock: $(READY) ## renew the hashed locks from pyproject.toml
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" \
		pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" \
		pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt

clean: ## remove everything that make made
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@echo "Making the environment in $(VENV), once; this takes about a minute …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
