# Everything runs in ./.venv; PYTHON chooses the interpreter it is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-full lint bench clean help

help:
	@echo "make demo       the agent at work: sandbox, broker and appliances embedded"
	@echo "make test       formatter, linter, types, all tests"
	@echo "make test-full  the same with the long runs"
	@echo "make bench      speeds and sizes on this machine (DATA=folder of price files)"
	@echo "make lint       formatter, linter, types only"
	@echo "make clean      remove what the above made"

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo,dev]'
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/flatpeak-agent demo $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -m 'not full'

test-full: lint
	$(BIN)/python -m pytest

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench $(if $(DATA),--data $(DATA))

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find agent integrations tests -name __pycache__ -type d -prune -exec rm -rf {} +
