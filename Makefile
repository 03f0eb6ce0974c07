# `make repro` and `make test` set up everything they need; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
FAST := -m "not pipeline" -n 2 --dist worksteal

.PHONY: help setup repro test check fast coverage pipeline deps release-model verify-model lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or later is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv/.ready

setup: .venv/.ready ## make the virtual environment and install the project

repro: setup ## run the pipeline; prints the metrics and where the report is
	python -m dvc repro
	@echo
	@python -m stages.summary --metrics reports/metrics.json --report reports/index.html --model models/lipseg

test: check coverage pipeline ## every check and test

check: setup ## lint, types, layers
	ruff check .
	ruff format --check .
	basedpyright
	lint-imports

fast: setup ## the fast tests
	python -m pytest $(FAST)

coverage: setup ## the fast tests, and which lines they run: half as long again
	python -m pytest $(FAST) --cov=lipseg --cov-report=term:skip-covered --cov-fail-under=85

pipeline: setup ## the slow tests: real runs of the pipeline
	python -m pytest -m pipeline

deps: setup ## bring the code dependencies in dvc.yaml up to date
	python -m stages.deps

release-model: setup ## rebuild the model that comes along, from HELEN=/path/to/helen, and put it into the package
	@test -n "$(HELEN)" || { echo "error: name the folder of the Helen dataset: make release-model HELEN=/path/to/helen" >&2; exit 2; }
	python -m stages.release --root "$(HELEN)" --preset $(or $(PRESET),presets/shipped.yaml)

verify-model: setup ## check the model that comes along; with HELEN=/path/to/helen, rebuild it and compare
	python -m stages.verify $(if $(HELEN),--root "$(HELEN)")

lock: ## pin every dependency anew (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements.lock

clean: ## remove what can be made again, the cache and the environment apart
	rm -rf .checkpoints .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
