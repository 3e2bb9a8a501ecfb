# make demo             JupyterLab on the first notebook, with live sample topics; HEADLESS=1 runs the notebook and prints it
# make test             everything: lint, types, all tests on real Kafka and in a real browser, coverage
# make lint             the linters and type checkers alone, of Python and of TypeScript
# make bench            ratios against peers, measured on this machine
# make clean            removes the virtual environment, the built front end and what the tools left
#
# PYTHON names the Python to make the virtual environment with (3.11 or later), VENV its folder (.venv).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What the front end is built of, as a part of installing the package, and what its own tools run in: Node comes with
# the tests' packages.
FRONT := $(wildcard labextension/*.json) $(shell find labextension/src labextension/scripts -type f)
MODULES := labextension/node_modules/.package-lock.json
NPM := cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" npm

.PHONY: help demo test lint bench clean

help:
	@sed -n 's/^# \(make\|PYTHON\)/\1/p' Makefile

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "streamlab needs Python 3.11 or later; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The stamps carry the date of the installation, so that the second run goes straight to its business.
$(VENV)/lab: $(VENV)/made pyproject.toml $(FRONT)
	$(PIP) --editable '.[lab]'
	@touch $@

$(VENV)/test: $(VENV)/made pyproject.toml $(FRONT) tests/prepare.sh
	$(PIP) --editable '.[test]'
	PATH="$(CURDIR)/$(BIN):$$PATH" tests/prepare.sh
	@touch $@

# The build has put them there, unless there was nothing to build.
$(MODULES): labextension/package-lock.json | $(VENV)/test
	$(NPM) ci

demo: $(VENV)/lab
	$(BIN)/streamlab demo $(if $(HEADLESS),--headless)

lint: $(VENV)/test $(MODULES)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(NPM) run lint

# The tests run even when lint has something to say; either makes it fail. Two workers, for most tests wait: tests/workers.py.
test: $(VENV)/test $(MODULES)
	@status=0; $(MAKE) --no-print-directory lint || status=1; ($(NPM) test) || status=1; \
	$(BIN)/python -m pytest --cov --numprocesses=2 || status=1; exit $$status

# Peers pin versions of what the tests use too.
$(VENV)-bench/bench: pyproject.toml $(FRONT)
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	PATH="$(CURDIR)/$(VENV)-bench/bin:$$PATH" tests/prepare.sh
	@touch $@

bench: $(VENV)-bench/bench
	$(VENV)-bench/bin/python benchmarks/run.py

clean:
	rm -rf labextension/lib labextension/node_modules streamlab/labextension streamlab/views/static
	rm -rf $(VENV) $(VENV)-bench build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
