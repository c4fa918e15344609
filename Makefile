# make run    set everything up on a machine with only Python >= 3.10, pip and make, then start the app
# make test   the same set-up, then the tests, on two cores; ARGS="-m slow" and the like go to pytest
# PYTHON chooses the interpreter; HOST and PORT choose where the app listens.

PYTHON ?= python3
HOST ?=
PORT ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
CREATED := $(VENV)/.created
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development

.DEFAULT_GOAL := help
.PHONY: help run test setup lint format types scoreboard clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile
	@echo "also: make setup, make lint, make format, make types, make scoreboard, make clean"

# Gradio reads these two variables; left out, it takes the local address and the first free port.
run: $(RUNTIME)
	$(if $(HOST),GRADIO_SERVER_NAME="$(HOST)") $(if $(PORT),GRADIO_SERVER_PORT="$(PORT)") $(BIN)/python app.py

test: $(DEVELOPMENT)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

setup: $(DEVELOPMENT)

lint: $(DEVELOPMENT)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

format: $(DEVELOPMENT)
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

types: $(DEVELOPMENT)
	$(BIN)/python -m mypy

# Writes the table of the shipped adapters' figures into the README.
scoreboard: $(RUNTIME)
	$(BIN)/python -m playground adapters scoreboard --write README.md

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache

# Some distributions ship Python without ensurepip; there the system's own pip fills the environment.
$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Python 3.10 or newer is needed; '$(PYTHON)' is not. Choose another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv $(VENV) || { \
	  $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } || { \
	  echo "No virtual environment could be made. Install Python's venv package (Debian: python3-venv)." >&2; exit 1; }
	@touch $@

$(RUNTIME): requirements.txt constraints.txt | $(CREATED)
	$(BIN)/python -m pip install -c constraints.txt -r requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	$(BIN)/python -m pip install -c constraints.txt -r requirements-dev.txt
	@touch $@
