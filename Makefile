# The gateway's commands; `make help` lists them. Needs Python 3.11+, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test soak check clients eval lint format types coverage clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.run  ## Serve on 127.0.0.1:8000 (ARGS="--port 9000 --debug-requests")
	@exec $(BIN)/python gateway.py $(ARGS)

test: $(VENV)/.dev  ## Run the tests in parallel (ARGS="-k name")
	$(BIN)/pytest -n auto $(ARGS)

SECONDS ?= 600
soak: $(VENV)/.dev  ## Load one gateway with random faults (SECONDS=60 make soak)
	$(BIN)/python -m tests.soak --seconds $(SECONDS) $(ARGS)

check: lint types coverage  ## Lint, types, tests with coverage: what CI runs

CLIENTS := aider openai-python httpie llm langchain openai-node
clients: $(VENV)/.dev  ## Drive aider, SDKs and other real clients; needs git, node and npm
	@$(MAKE) --no-print-directory --jobs=3 $(CLIENTS:%=.venvs/%/.installed)
	CLIENTS_REQUIRED=1 $(BIN)/pytest -n auto --dist worksteal -m clients tests/clients $(ARGS)

.venvs/openai-node/.installed: tests/clients/node/package.json
	@mkdir -p $(@D)
	cp $< $(@D)
	npm install --prefix $(@D) --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

.venvs/%/.installed: tests/clients/requirements-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

eval: $(VENV)/.eval  ## Measure a mixture against its members (ARGS="--suite humaneval --limit 30")
	$(BIN)/python -m eval $(ARGS)

lint: $(VENV)/.dev  ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev  ## Check types
	$(BIN)/mypy

coverage: $(VENV)/.dev
	$(BIN)/pytest -n auto --cov --cov-report=term $(ARGS)

clean:  ## Remove what was built; models in the cache folder stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The gateway needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run

$(VENV)/.eval: eval/requirements-eval.txt requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r eval/requirements-eval.txt
	@touch $@ $(VENV)/.run
