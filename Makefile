# Everything starts here, with nothing but make and Python 3.11. `make` alone shows what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The Python that .venv is made from; empty: the first 3.11 that has what it takes.
PYTHON ?=
# Where the demo keeps its data, and the first of its ports.
DEMO_DIR ?= .demo
DEMO_PORT_BASE ?= 29300
# Not empty: `make demo` returns when the demo is ready.
DETACH ?=

PY := .venv/bin/python
UV := $(PY) -m uv
NODE_PATH := $(CURDIR)/.envs/node/bin
# Relative paths in all recipes: the checkout may lie anywhere, blanks in its path included.

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@printf '\n  %s\n  %s\n' 'DEMO_DIR=.demo and DEMO_PORT_BASE=29300 may be set for demo and demo-stop; DETACH=1 for demo;' \
	  'PYTHON=/path/to/python3.11 for all.'

# --- What it runs on ---

.PHONY: python
python:
	@if [ -z '$(PYTHON)' ] && [ -x $(PY) ] && $(PY) -I bridge/demo/bootstrap.py --is-fresh 2>/dev/null; then exit 0; fi; \
	chosen=; present=; \
	for candidate in $(if $(PYTHON),'$(PYTHON)',python3.11 /usr/bin/python3.11 python3); do \
	  "$$candidate" -c '' 2>/dev/null || continue; \
	  present=$${present:-$$candidate}; \
	  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
	    chosen=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$chosen$$present" ]; then \
	  echo 'There is no Python 3.11$(if $(PYTHON), at $(PYTHON)). On Debian: apt-get install -y python3.11 python3.11-venv;' \
	    'or name one: make PYTHON=/path/to/python3.11' >&2; exit 1; \
	fi; \
	exec "$${chosen:-$$present}" -I bridge/demo/bootstrap.py

.PHONY: setup envs
setup: envs ## Prepare all environments, the local model and the client's build
envs: python
	@$(PY) -m bridge.demo.prepare

.PHONY: chromium
chromium:
	@if command -v chromium >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then \
	  echo 'Chromium is missing; installing Debian'"'"'s.'; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; \
	else \
	  echo 'The browser tests need Chromium: sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium' >&2; \
	  exit 1; \
	fi

# --- The demo ---

.PHONY: demo demo-stop
demo: python ## Run everything on 127.0.0.1, seeded with two tenants
	@exec $(PY) -m bridge demo --dir '$(DEMO_DIR)' --port-base '$(DEMO_PORT_BASE)' $(if $(DETACH),--detach)

demo-stop: ## Stop the demo
	@if [ -x $(PY) ]; then exec $(PY) -m bridge demo --dir '$(DEMO_DIR)' --stop; else echo 'No demo is running.'; fi

# --- Checks and tests ---

CHECKS := check-format check-lint check-types check-strict check-imports check-module check-unit check-web

.PHONY: check $(CHECKS)
check: python ## Format, lint, types, import contracts, unit and docs tests, the client's lint and types
	@$(PY) -m bridge.demo.prepare synapse web-modules
	@$(MAKE) -j2 --keep-going --output-sync=target $(CHECKS)

check-format:
	@echo '== format'; $(PY) -m ruff format --check .

check-lint:
	@echo '== lint'; $(PY) -m ruff check .

check-types:
	@echo '== types (mypy)'; $(PY) -m mypy

check-strict:
	@echo '== types (pyright)'; $(PY) -m pyright

check-imports:
	@echo '== import contracts'; $(PY) -c "from importlinter.cli import lint_imports_command as check; check()"

check-module:
	@echo '== types of the Synapse module'
	@$(PY) -m mypy --config-file synapse_module/pyproject.toml --python-executable .envs/synapse/bin/python \
	  synapse_module/bitnexus_synapse_module

check-unit:
	@echo '== unit and docs tests'; $(PY) -m pytest -q tests/unit tests/test_docs.py

check-web:
	@echo '== web: lint, format, types'; cd web && PATH="$(NODE_PATH):$$PATH" npm run --silent check

.PHONY: test test-n8n
test: python chromium ## The whole suite but the real n8n; installs what it needs
	@$(PY) -m bridge.demo.prepare
	@$(PY) -m pytest tests --ignore=tests/n8n
	@cd web && PATH="$(NODE_PATH):$$PATH" npm run --silent test

test-n8n: python ## The suite against a real n8n, installed once into a cache
	@$(PY) -m bridge.demo.prepare
	@$(PY) tests/n8n/install.py
	@$(PY) -m pytest tests/n8n

CHAOS_SECONDS ?= 600
# A number repeats the draws of the run whose report names it; empty: new ones.
CHAOS_SEED ?=

.PHONY: chaos
chaos: python ## Ten minutes of faults of every kind under load; writes bench/results/chaos.json
	@$(PY) -m bridge.demo.prepare demo synapse
	@$(PY) -m tests.faults --seconds $(CHAOS_SECONDS) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

.PHONY: bench neighbours
bench: python neighbours ## The benchmarks; writes bench/results/
	@$(PY) -m bridge.demo.prepare
	@$(PY) -m bench

# What we are measured against, in an environment of its own: benchmarks alone need it.
neighbours: python
	@if ! cmp -s locks/neighbours.txt .envs/neighbours.stamp; then \
	  echo 'Installing what the benchmarks compare with.'; mkdir -p .envs; \
	  $(UV) venv --quiet --allow-existing --python $(PY) .envs/neighbours; \
	  $(UV) pip sync --quiet --python .envs/neighbours/bin/python --require-hashes locks/neighbours.txt; \
	  cp locks/neighbours.txt .envs/neighbours.stamp; \
	fi

# --- Upkeep ---

COMPILE = $(UV) pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header

.PHONY: lock
lock: python ## Resolve all dependencies anew into locks/ (add UPGRADE=1 to take newer ones)
	@for name in bootstrap demo model neighbours synapse; do \
	  $(COMPILE) $(if $(UPGRADE),--upgrade) $$([ $$name = model ] && echo --no-deps) locks/$$name.in -o locks/$$name.txt; \
	done
	@$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml -o locks/runtime.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev pyproject.toml -o locks/bridge.txt
	@if grep -n '://' locks/*.txt; then echo 'An address got into a lock: take it out.' >&2; exit 1; fi

.PHONY: examples
examples: python ## Write the example of Synapse's settings anew from config.example.yaml
	@$(PY) deploy/synapse/write_example.py

.PHONY: clean
clean: ## Stop the demo and remove everything that was made here: environments, builds, caches, the demo's data
	@if [ -x $(PY) ]; then $(PY) -m bridge.demo.remove '$(DEMO_DIR)'; fi
	@rm -rf .envs .venv .cache web/node_modules web/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache *.egg-info build
	@find bridge tests synapse_module -name __pycache__ -type d -prune -exec rm -rf {} +
