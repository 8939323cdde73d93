# The door to everything: `make help`. Nothing has to be prepared but Python 3.11 or newer and make.
PYTHON ?= python3
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup run start stop restart reset status check format test torture bench contracts lock clean

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run it
run: setup ## Everything in the foreground: servers, databases, five services, a sample course; Ctrl-C stops it
	@exec $(PY) deploy/local/run.py run

start: setup ## The same in the background; comes back when it is ready
	@$(PY) deploy/local/run.py start

stop: setup ## Stop what `make start` or `make run` started here
	@$(PY) deploy/local/run.py stop

restart: stop start ## Stop and start

status: setup ## What runs here, and whether it is ready
	@$(PY) deploy/local/run.py status

reset: setup ## Stop it and forget all its data
	@$(PY) deploy/local/run.py reset

##@ Prove it
check: setup ## Formatting, lint, types, import rules, locks, contracts, manifests: what CI runs first
	@$(PY) deploy/local/check.py

test: setup ## Every kind of test at small counts, with a real PostgreSQL and RabbitMQ; ARGS goes to pytest
	@$(PY) deploy/local/suite.py $(ARGS)

torture: setup ## The full counts: kills, millions, corpora; writes .lectern/torture.json
	@$(PY) deploy/local/suite.py --torture $(ARGS)

bench: setup ## The table of speeds; writes .lectern/bench.json
	@$(PY) tests/benchmarks/run.py $(ARGS)

##@ Change it
setup: ## Make .venv from requirements.lock; every target does it first, in a moment when nothing is due
	@$(PYTHON) deploy/local/bootstrap.py

format: setup ## Format the code and sort its imports
	@$(PY) -m ruff check --select I --fix --quiet .
	@$(PY) -m ruff format .

contracts: setup ## Write the generated files of contracts/ anew
	@$(PY) deploy/local/check_contracts.py --write

lock: setup ## Compile requirements.lock and the images' subsets from the manifests
	@$(PY) deploy/local/lock.py

clean: stop ## Remove the environment and all caches; data stay (`make reset` forgets those)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
