# make run     the daemon on the shipped config.toml
# make test    all tests that this machine can run (8 minutes on two cores); the others are skipped, with the reasons
# make test-quick   the tests that need no servers, networks or months of fake time (two to three minutes)
# make lint    ruff, mypy, the import rules and the subjects of new commits
# make bench   measurements, compared with fping and blackbox_exporter if installed; takes half an hour
# make docs    write the output of --help into docs/cli.md
# make clean   remove everything that the targets above built; ./data stays
#
# Nothing here needs root or asks a question. Variables: PYTHON (3.11 or later) and PYTEST_ARGS.

PYTHON ?= python3
PYTEST_ARGS ?= -n auto --dist loadfile

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
RUN_READY := $(VENV)/.ready-to-run
TEST_READY := $(VENV)/.ready-to-test

.PHONY: run test test-quick lint format bench docs constraints clean
.DEFAULT_GOAL := run

run: $(RUN_READY)
	@exec $(BIN)/monitor --config config.toml run

test: $(TEST_READY)
	@echo "All tests: about 8 minutes on two cores. 'make test-quick' takes two to three."
	@$(BIN)/python -m pytest -q $(PYTEST_ARGS)

test-quick: $(TEST_READY)
	@echo "The tests that need no servers: two to three minutes on two cores."
	@$(BIN)/python -m pytest -q $(PYTEST_ARGS) -m 'not integration and not simulation'

lint: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.commit_subjects

format: $(TEST_READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(TEST_READY)
	$(BIN)/python -m bench all

docs: $(TEST_READY)
	$(BIN)/python -m tests.cli_help docs/cli.md

# names and versions of what is installed now, for a change of pyproject.toml or an upgrade
constraints: $(TEST_READY)
	$(BIN)/python -m pip freeze --exclude-editable --disable-pip-version-check > constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11 or later: install one and name it, as in: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(RUN_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) what pyproject.toml names ..."
	@$(PIP_INSTALL) --editable .
	@touch $@

$(TEST_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) what pyproject.toml names, and what the tests need ..."
	@$(PIP_INSTALL) --editable '.[test]'
	@touch $@ $(RUN_READY)
