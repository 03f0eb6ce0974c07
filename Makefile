# `make repro` and `make test` set up everything they need; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
SPREAD := -n 2 --dist worksteal
FAST := -m "not slow" $(SPREAD)

.PHONY: help setup repro test check fast coverage slow web web-serve web-golden web-test release-model recalibrate-model verify-model docs site docs-serve dist version fuzz fuzz-guided audit licences floors lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

# Nothing is resolved and nothing is built with tools from elsewhere: what is locked is installed, whatever came out since.
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
LOCKS := requirements
COMPILE := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet $(UPGRADE)

.venv/.build: $(LOCKS)/build.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or later is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 15))' || echo "note: what is locked was tried with Python 3.11 to 3.14; should it not install, set PYTHON=/path/to/python3.14" >&2
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
	@$(MAKE) --no-print-directory web-test

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

slow: setup ## the slow tests: real runs of the pipeline, trainings, programs that are killed
	python -m pytest -m slow $(SPREAD)

WEB_PORT ?= 5173

web/node_modules/.installed: web/package.json web/package-lock.json web/.npmrc
	cd web && npm ci --loglevel=error
	@touch $@

# The browser's model folder: the shipped one, the face detector's file and the constants of the code.
.PHONY: web/public/model
web/public/model: setup
	python web/python/model_folder.py --out $@

web: web/node_modules/.installed web/public/model ## build the page (web/dist/page) and the npm package's library (web/dist/lib)
	cd web && npm run --silent check && npm run --silent build

web-serve: web ## build the page and open it on http://localhost:5173; WEB_PORT names another port
	cd web && npm run --silent serve -- --port $(WEB_PORT)

web-golden: setup ## write what Python answers, for the browser's tests to compare with (web/golden)
	python web/python/golden.py --out web/golden

web-test: ## the tests in Chromium, where node, npm and a Chromium are
	@missing="$$(web/scripts/missing.sh)"; if [ -n "$$missing" ]; then echo "the browser's tests are left out: $$missing"; \
	else $(MAKE) --no-print-directory web web-golden && cd web && npm run --silent build:harness && npm test --silent; fi

# The folder of each source's faces, and what Helen's may lack (data/README.md).
FACES = $(foreach name,HELEN CELEBAMASK IBUG MASKS,$(if $($(name)),--source "$(shell tr A-Z a-z <<< $(name))=$($(name))")) \
	$(if $(HELEN_SCALE),--file "helen/scale.csv=$(HELEN_SCALE)")

release-model: setup ## rebuild the model that comes along, from HELEN=DIR CELEBAMASK=DIR, and put it into the package
	python -m stages.release $(FACES) --preset $(or $(PRESET),presets/shipped.yaml)
	python -m tools.docs  # docs/model-card.md shows its card

recalibrate-model: setup ## fit the thresholds of the model that comes along anew, from the same folders; its networks stay
	python -m stages.recalibrate $(FACES)

verify-model: setup ## check the model that comes along; with HELEN=DIR CELEBAMASK=DIR, rebuild it and compare
	python -m stages.verify $(FACES)

.venv/.docs: .venv/.test $(LOCKS)/docs.lock
	$(INSTALL) --require-hashes -r $(LOCKS)/docs.lock
	python $(LOCKS)/check.py
	@touch $@

docs: .venv/.docs ## try every snippet of README and docs, and build the site
	python -m pytest $(SPREAD) tests/docs --ignore tests/docs/test_site.py
	@$(MAKE) --no-print-directory site

# Material says on every build what it thinks of MkDocs' next release.
site: export NO_MKDOCS_2_WARNING := true
site: .venv/.docs ## build the site of README and docs in build/site, strictly
	python -m pytest tests/docs/test_site.py
	python -m tools.docs
	mkdocs build --strict
	@echo "the site: build/site/index.html"

docs-serve: docs ## and show it on http://localhost:8000
	mkdocs serve

dist: setup ## build wheel, sdist and, after `make web`, the npm package in dist/, and try each from an empty folder
	python -m tools.dist

version: setup ## write the version of pyproject.toml to the other files that hold it
	python -m tools.dist --stamp

RUNS ?= 100000
TEXTS := helen,ibug,names,states,boxes,params,card
fuzz: setup ## every reader on RUNS=100000 damaged files each: hours; READERS=helen,boxes for some
	nice -n 19 python tests/fuzzing.py --runs $(RUNS) $(if $(READERS),--readers $(READERS))

# atheris is in no lock: it comes for few systems, and nothing else needs it.
fuzz-guided: setup ## the readers of text by coverage, FOR=120 seconds each; READERS=npz,onnx for others
	@python -c "import atheris" 2>/dev/null || { echo "error: this needs atheris: .venv/bin/pip install --no-deps --no-build-isolation atheris" >&2; exit 1; }
	nice -n 19 python tests/fuzzing.py --guided --runs -1 --seconds $(or $(FOR),120) --readers $(or $(READERS),$(TEXTS))

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
	uv pip compile --group docs -c $(LOCKS)/test.lock $(COMPILE) -o $(LOCKS)/docs.lock

clean: ## remove what can be made again, the cache and the environment apart
	rm -rf dist docs/app build/site web/dist web/golden web/public web/test-results
	rm -rf .checkpoints .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
