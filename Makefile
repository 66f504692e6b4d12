# `make` lists what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := cli handlers models local tests deploy
# Tools that pin what the project pins otherwise have environments of their own.
SAM_READY := .venv-sam/.ready
CHECKOV_READY := .venv-checkov/.ready
SAM := SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam
LINT_REGIONS := us-east-1 eu-west-1 us-gov-west-1 cn-north-1

.DEFAULT_GOAL := help
.PHONY: help demo organisation test lint types imports unit functional mutants plan browser template build artifact deploy \
	e2e invoke lambda-image format local lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## show the whole job on a local AWS, with nothing leaving this machine
	@$(BIN)/python -m local demo

organisation: $(READY) ## 200 accounts with 1,000 findings, and the AWS calls that they cost
	@$(BIN)/python -m local organisation

test: lint types imports unit functional template ## everything that must pass before a commit

lint: $(READY) ## style and format
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(READY) ## mypy, strict
	$(BIN)/mypy

imports: $(READY) ## imports point one way
	$(BIN)/lint-imports --no-logo

unit: $(READY) ## tests over fakes, no sockets
	$(BIN)/pytest tests/unit -n 2

functional: $(READY) ## real botocore requests against the local AWS
	@rm -rf build/operations # what is called now is what the roles are held against
	$(BIN)/pytest tests/local tests/functional -n 2 --dist worksteal

browser: $(READY) .venv-browser/.ready ## the HTML page in Debian's Chromium (apt install chromium)
	.venv-browser/bin/python -m pytest tests/browser -q -o addopts= --confcutdir tests/browser

# Anew each time, for what an earlier run found is not asked again when only the tests have changed.
mutants: .venv-mutants/.ready ## break the rules in many small ways, and count how many the unit tests notice
	@rm -rf mutants
	@HYPOTHESIS_PROFILE=mutants .venv-mutants/bin/mutmut run
	@.venv-mutants/bin/mutmut results
	@.venv-mutants/bin/mutmut export-cicd-stats
	@.venv-mutants/bin/python tests/mutants.py mutants/mutmut-cicd-stats.json

# The custom action has a template of its own because CloudFormation lacks it in some Regions: it is
# linted where it exists.
template: $(READY) $(SAM_READY) $(CHECKOV_READY) ## validate and lint the templates, and test what they promise
	@printf "%s\n" $(LINT_REGIONS) | xargs -P 2 -I{} env $(SAM) validate --lint --region {}
	.venv-sam/bin/cfn-lint --regions $(LINT_REGIONS) -- template.yaml deploy/member-role.yaml deploy/observability.yaml \
		deploy/expiry-alarms.yaml
	.venv-sam/bin/cfn-lint --regions us-east-1 -- deploy/custom-action.yaml
	.venv-checkov/bin/checkov --config-file .checkov.yaml
	$(BIN)/pytest tests/template -n 2

build: $(READY) $(SAM_READY) ## build what is deployed, and show its size and content
	@$(SAM) build
	@for name in RemediateFunction SweepFunction; do \
		echo; echo ".aws-sam/build/$$name: $$(du -sh .aws-sam/build/$$name | cut -f1)," \
			"$$(find .aws-sam/build/$$name -name '*.pyc' | wc -l) modules byte-compiled"; \
		(cd .aws-sam/build/$$name && du -sh -- * | grep -v dist-info | sort -rh); \
	done

ARCHIVE := build/iam26-remediation.zip
artifact: $(READY) ## the code as one archive, for deploy/expiry-alarms.yaml, which SAM does not build
	@rm -rf build/artifact $(ARCHIVE)
	@mkdir -p build/artifact
	@bash deploy/artifact/build.sh "$(CURDIR)/build/artifact"
	@cd build/artifact && "$(CURDIR)/$(BIN)/python" -m zipfile -c "$(CURDIR)/$(ARCHIVE)" *
	@du -h $(ARCHIVE)

deploy: $(READY) $(SAM_READY) ## build and deploy: make deploy MODE=DryRun, and any parameter as Name=value
	@$(BIN)/python deploy/deploy.py

# Apart from what `make build` and `make deploy` build, so that neither disturbs the other.
BUILT := build/sam/template.yaml
EVENT ?= events/imported-consolidated.json
$(BUILT): template.yaml $(wildcard deploy/*.yaml deploy/artifact/*) requirements/runtime.txt \
		$(shell find handlers models -name '*.py') | $(READY) $(SAM_READY)
	@$(SAM) build --build-dir $(dir $@)

e2e: $(READY) $(SAM_READY) .venv-e2e/.ready $(BUILT) ## deploy into a local AWS, and send events through every hop
	@$(BIN)/python -m local image
	@du -sh build/sam/RemediateFunction build/sam/SweepFunction
	$(BIN)/pytest tests/e2e -n 2 --dist loadfile -vv --durations 5

invoke: $(READY) $(SAM_READY) $(BUILT) ## run one event through the artifact: make invoke EVENT=events/sweep.json MODE=DryRun
	@$(BIN)/python -m local invoke '$(EVENT)' $(if $(MODE),--mode '$(MODE)')

lambda-image: $(READY) ## make Lambda's image for sam local of Debian packages, where no registry is
	@$(BIN)/python -m local image --renew

format: $(READY) ## let ruff fix and format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

plan: $(READY) ## show what would be done in your AWS account: make plan ARGS="--output html --file plan.html"
	@$(BIN)/iam26 plan $(ARGS)

local: $(READY) ## start the local AWS, and print what directs the AWS CLI and sam local to it
	@$(BIN)/python -m local serve

lock: $(READY) ## renew the hashed locks from pyproject.toml
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" \
		requirements/runtime.in -o requirements/runtime.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" \
		pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	for tool in sam checkov e2e lambda mutants browser; do \
		$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
			--no-annotate --custom-compile-command "make lock" \
			requirements/$$tool.in -o requirements/$$tool.txt || exit 1; \
	done

clean: ## remove everything that make made
	rm -rf $(VENV) .venv-sam .venv-checkov .venv-e2e .venv-mutants .venv-browser .aws-sam build mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@echo "Making the environment in $(VENV), once; this takes about a minute …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv-%/.ready: requirements/%.txt | $(READY)
	@echo "Making the environment in .venv-$*, once …"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-$*
	@$(BIN)/uv pip install --quiet --python .venv-$* --require-hashes -r requirements/$*.txt
	@touch $@
