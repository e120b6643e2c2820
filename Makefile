# Everything sets itself up: Python ≥ 3.11 with pip and a registry of packages are all it needs.

PYTHON ?= python3
PORT ?= 8501
HOST ?= 127.0.0.1
# A second index for torch, for instance https://download.pytorch.org/whl/cpu: without it plain pip on Linux takes the
# CUDA build of several GB. Left empty, the package settings of the machine decide.
TORCH_INDEX_URL ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# pip would compile on one core, for longer than it downloads. A few files are written for other versions of Python.
COMPILE := $(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null || true

.PHONY: run test lint prepare testpage clean

# The server draws the demonstration pictures itself, beside serving.
run: .venv/installed
	PORT=$(PORT) HOST=$(HOST) $(BIN)/python serve.py

# The same in the foreground. Returns at once when there is nothing left to do.
prepare: .venv/installed
	$(BIN)/python -m training.prepare demo

test: .venv/installed-tests
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --quiet --offline --min-severity medium .github/workflows

# The test page of the API, from its sources in testpage/. What is built travels in git, so only a change needs node.
testpage:
	npm --prefix testpage ci
	npm --prefix testpage run build

# Only what this Makefile made: other datasets and runs are yours.
clean:
	rm -rf .venv data/demo data/.demo-drawing .pytest_cache .mypy_cache .ruff_cache

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Scalp Lab needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make run PYTHON=python3.12")'
	@echo "Installing the requirements into .venv (once; a few minutes, about 2 GB)"
	$(PYTHON) -m venv .venv
	$(if $(TORCH_INDEX_URL),$(PIP) --index-url $(TORCH_INDEX_URL) $(shell grep -E '^torch(vision)?==' requirements.txt))
	$(PIP) -r requirements.txt
	@$(COMPILE)
	@touch $@

.venv/installed-tests: .venv/installed tests/requirements.txt
	$(PIP) -r tests/requirements.txt
	@$(COMPILE)
	@touch $@
