# Everything runs in ./.venv; PYTHON chooses the interpreter it is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-full lint bench wheels clean help

help:
	@echo "make demo       the agent at work: sandbox, broker and appliances embedded"
	@echo "make test       formatter, linter, types, all tests"
	@echo "make test-full  the same with the long runs"
	@echo "make bench      speeds and sizes on this machine (DATA=folder of price files)"
	@echo "make lint       formatter, linter, types only"
	@echo "make wheels     is there a wheel of every dependency for every kind of gateway?"
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

# The core must install from ready-made wheels on every kind of gateway: nothing is installed here.
WHEELS_FOR := x86_64 aarch64 armv7l
wheels: $(VENV)/.dev
	@$(BIN)/python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml','rb'))['project']['dependencies']))" > $(VENV)/core.txt
	@for arch in $(WHEELS_FOR); do \
	  $(BIN)/python -m pip install --dry-run --quiet --disable-pip-version-check --ignore-installed \
	    --target $(VENV)/none --only-binary=:all: --python-version 3.11 --implementation cp \
	    --abi cp311 --abi abi3 --abi none --platform manylinux_2_36_$$arch \
	    --platform manylinux_2_31_$$arch --platform manylinux_2_28_$$arch \
	    --platform manylinux_2_17_$$arch --platform manylinux2014_$$arch \
	    -r $(VENV)/core.txt || exit 1; \
	  echo "wheels for $$arch: all there"; \
	done

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find agent integrations tests -name __pycache__ -type d -prune -exec rm -rf {} +
