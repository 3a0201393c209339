# The gateway's commands; `make help` lists them. Needs Python 3.11+, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run dev init doctor test soak check check-all clients client-packages ui images eval bench lint format types coverage clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.run  ## Serve on 127.0.0.1:8000 (ARGS="--port 9000 --debug-requests")
	@exec $(BIN)/python gateway.py $(ARGS)

SOURCES := gateway.py config runtime store upstream synth handlers
dev: $(VENV)/.dev  ## Serve, and start again when the code changes (ARGS="--port 9000")
	@$(BIN)/watchfiles '$(BIN)/python gateway.py $(ARGS)' $(SOURCES)

test: $(VENV)/.dev  ## Run the tests in parallel (ARGS="-k name")
	$(BIN)/pytest -n auto $(ARGS)

SECONDS ?= 600
soak: $(VENV)/.dev  ## Load one gateway with random faults (SECONDS=60 make soak)
	$(BIN)/python -m tests.soak --seconds $(SECONDS) $(ARGS)

init: $(VENV)/.run  ## Write config.yaml and .env for your keys (ARGS="--force --preset cheap")
	@$(BIN)/python gateway.py init $(ARGS)

doctor: $(VENV)/.run  ## Check config.yaml and every model (ARGS=--offline asks none)
	@$(BIN)/python gateway.py doctor $(ARGS)

check: lint types $(VENV)/.dev  ## Lint, types, and the tests related to the changes since main
	$(BIN)/pytest -n auto $$($(BIN)/python -m tests.changed) $(ARGS)

check-all: lint types test  ## Lint, types, all tests: what CI runs first

LARGE_CLIENTS ?= opencode cline claude-code codex
CLIENTS = aider openai-python anthropic-python agents-sdk httpie llm langchain openai-node continue $(LARGE_CLIENTS)
clients: $(VENV)/.dev client-packages  ## Test aider, SDKs, agents; needs git, node, npm (LARGE_CLIENTS= saves 800 MB)
	CLIENTS_REQUIRED="$(CLIENTS)" $(BIN)/pytest -n auto --dist worksteal -m clients tests/clients $(ARGS)

client-packages:
	@$(MAKE) --no-print-directory --jobs=3 $(CLIENTS:%=.venvs/%/.installed)

.venvs/%/.installed: tests/clients/package-%.json
	@mkdir -p $(@D)
	cp $< $(@D)/package.json
	npm install --prefix $(@D) --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

.venvs/%/.installed: tests/clients/requirements-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

ui: $(VENV)/.dev  ## Test the trace pages in Chromium (CHROMIUM=path if it is not on the PATH)
	BROWSER_REQUIRED=1 $(BIN)/pytest -n auto -m browser tests/ui $(ARGS)

images: $(VENV)/.dev  ## Retake the screenshots of docs/traces.md
	$(BIN)/python -m tests.ui.screenshots docs/images

eval: $(VENV)/.eval  ## Measure a mixture against its members (ARGS="--suite humaneval --limit 30")
	$(BIN)/python -m eval $(ARGS)

bench: $(VENV)/.run  ## Measure the gateway against a bare handler; 6 minutes (ARGS=--short)
	$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.dev  ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev  ## Check types
	$(BIN)/mypy

coverage: $(VENV)/.dev  ## Run the tests with branch coverage
	$(BIN)/pytest -n auto --cov --cov-report=term $(ARGS)

clean:  ## Remove build products; cached models stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The gateway needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	@echo "Installing the packages of requirements.txt into $(VENV) (about 220 MB there; half a minute or more) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt requirements-otel.txt requirements-redis.txt requirements-mcp.txt eval/requirements-eval.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r eval/requirements-eval.txt
	@touch $@ $(VENV)/.run

$(VENV)/.eval: eval/requirements-eval.txt requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r eval/requirements-eval.txt
	@touch $@ $(VENV)/.run
