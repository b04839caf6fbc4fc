# Each target sets up what it needs, and does nothing twice. On Debian and Ubuntu as root that includes packages.
.DEFAULT_GOAL := help
.ONESHELL:
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
# Each process of a run would compile everything anew, which takes longer than a thousand tests.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# What running needs, and what developing needs beside it.
RUNNABLE := $(VENV)/.runnable
STAMP := $(VENV)/.installed

.PHONY: help
help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

.PHONY: run
run: $(RUNNABLE) ## start Spunto on this machine with a demo project (SPUNTO_PORT, SPUNTO_DATA_DIR)
	@exec scripts/run ./spunto up --demo

.PHONY: test
test: $(STAMP) ## lint, and run all tests against Docker, Podman, SQLite, PostgreSQL and Chromium
	@scripts/images docker
	scripts/images podman
	scripts/postgres >/dev/null
	scripts/chromium >/dev/null
	scripts/oidc-provider >/dev/null
	$(MAKE) lint
	# Side by side, because most of it waits: for engines, for servers, and what waits for neither.
	$(MAKE) -j3 --output-sync=target test-engines test-servers test-rest

ENGINES := $(addprefix tests/integration/,agent embedding faults journeys nodes runtimes)

.PHONY: test-engines test-servers test-rest
test-engines:
	@$(BIN)/pytest $(ENGINES)

test-servers:
	@$(BIN)/pytest tests/integration $(addprefix --ignore ,$(ENGINES))

test-rest:
	@$(BIN)/pytest --ignore tests/integration

.PHONY: quick test-quick
quick: $(STAMP) ## lint, and run the tests that need no engine, no database server and no browser
	@$(MAKE) -j2 lint test-quick

test-quick:
	@$(BIN)/pytest -n auto --hypothesis-profile=quick -m "not docker and not podman and not postgres and not browser and not long"

.PHONY: lint
lint: $(STAMP) ## check format, style, types and imports
	@$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench
bench: $(STAMP) ## measure, and print every figure against its goal
	@$(BIN)/python -m benchmarks

.PHONY: chaos
chaos: $(STAMP) ## kill things at random and look at what is left
	@$(BIN)/python -m tests.chaos

.PHONY: audit
audit: $(STAMP) ## prove the long claims, with their figures
	@$(BIN)/python -m tests.audit

.PHONY: docs
docs: $(STAMP) ## write the pages of docs/ that are made from the code
	@$(BIN)/python -m scripts.docs

.PHONY: lock
lock: $(STAMP) ## pin the newest Python packages that pyproject.toml allows
	@scripts/lock $(BIN)/uv --upgrade

.PHONY: clean
clean: ## end what these targets started, and remove what they made
	@scripts/stop
	rm -rf tests/integration/signin/provider/node_modules benchmarks/peers/node_modules
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(RUNNABLE): pyproject.toml requirements/run.txt requirements/uv.txt
	@scripts/venv $(VENV) run
	touch $@

$(STAMP): pyproject.toml requirements/dev.txt requirements/uv.txt
	@scripts/venv $(VENV) dev
	scripts/clients
	touch $@ $(RUNNABLE)
