# `make repro` and `make test` set up everything they need; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
SPREAD := -n 2 --dist worksteal
FAST := -m "not pipeline" $(SPREAD)

.PHONY: help setup repro test check fast coverage pipeline release-model verify-model fuzz audit licences floors lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

# Nothing is resolved and nothing is built with tools from elsewhere: what is locked is installed, whatever came out since.
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
LOCKS := requirements
COMPILE := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet $(UPGRADE)

.venv/.build: $(LOCKS)/build.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or later is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) --require-hashes -r $(LOCKS)/build.lock
	@touch $@

.venv/.pipeline: .venv/.build $(LOCKS)/pipeline.lock pyproject.toml
	$(INSTALL) --require-hashes -r $(LOCKS)/pipeline.lock
	$(INSTALL) -e .
	@touch $@

.venv/.test: .venv/.pipeline $(LOCKS)/test.lock
	$(INSTALL) --require-hashes -r $(LOCKS)/test.lock
	@touch $@

setup: .venv/.test ## make the virtual environment with everything that developers need

repro: .venv/.pipeline ## run the pipeline; prints the metrics and where the report is
	@python -m stages.mend
	python -m dvc repro
	@echo
	@python -m stages.summary --metrics reports/metrics.json --report reports/index.html --model models/lipseg

test: check ## every check and test
	python -m pytest $(SPREAD)

check: setup ## lint, types, layers, locks
	ruff check .
	ruff format --check .
	basedpyright
	lint-imports
	python $(LOCKS)/check.py

fast: setup ## the fast tests
	python -m pytest $(FAST)

coverage: setup ## the fast tests, and which lines they run: half as long again
	python -m pytest $(FAST) --cov=lipseg --cov-report=term:skip-covered --cov-fail-under=85

pipeline: setup ## the slow tests: real runs of the pipeline
	python -m pytest -m pipeline $(SPREAD)

# The folder of each source's faces, and what Helen's may lack (data/README.md).
FACES = $(foreach name,HELEN CELEBAMASK IBUG MASKS,$(if $($(name)),--source "$(shell tr A-Z a-z <<< $(name))=$($(name))")) \
	$(if $(HELEN_SCALE),--file "helen/scale.csv=$(HELEN_SCALE)")

release-model: setup ## rebuild the model that comes along, from HELEN=DIR CELEBAMASK=DIR, and put it into the package
	python -m stages.release $(FACES) --preset $(or $(PRESET),presets/shipped.yaml)

verify-model: setup ## check the model that comes along; with HELEN=DIR CELEBAMASK=DIR, rebuild it and compare
	python -m stages.verify $(FACES)

RUNS ?= 100000
fuzz: setup ## every reader on RUNS=100000 damaged files each: hours; READERS=helen,boxes for some
	nice -n 19 python tests/fuzzing.py --runs $(RUNS) $(if $(READERS),--readers $(READERS))

audit: setup ## known weaknesses of the locked packages, as far as the advisory service can be reached
	python $(LOCKS)/audit.py

licences: setup ## the licence of every package that is installed for developers
	python $(LOCKS)/licences.py

floors: ## the tool's tests with the oldest and the newest releases of what it needs (needs uv)
	python3 $(LOCKS)/floors.py

lock: ## pin every dependency anew (needs uv); give UPGRADE=--upgrade for the newest releases
	uv pip compile pyproject.toml --all-extras --group build --group dev $(COMPILE) -o $(LOCKS)/test.lock
	uv pip compile pyproject.toml --extra train --group build -c $(LOCKS)/test.lock $(COMPILE) -o $(LOCKS)/pipeline.lock
	uv pip compile --group build -c $(LOCKS)/test.lock $(COMPILE) -o $(LOCKS)/build.lock

clean: ## remove what can be made again, the cache and the environment apart
	rm -rf .checkpoints .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
