# Everything runs in ./.venv; PYTHON chooses the interpreter it is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := pip --quiet --disable-pip-version-check

.PHONY: demo test test-full lint bench soak wheels lock clean help

help:
	@echo "make demo       the agent at work: sandbox, broker and appliances embedded"
	@echo "make test       formatter, linter, types, all tests"
	@echo "make test-full  the same with the long runs"
	@echo "make bench      speeds and sizes on this machine (DATA=folder of price files)"
	@echo "make soak       one life of the agent over 60 simulated days (DAYS=N): memory and disk"
	@echo "make lint       formatter, linter, types only"
	@echo "make wheels     is there a wheel of every dependency for every kind of gateway?"
	@echo "make lock       the newest versions that pyproject.toml allows, written to constraints.txt"
	@echo "make clean      remove what the above made"

$(VENV)/.demo: pyproject.toml constraints.txt
	@echo "installing into $(VENV): once, a minute or two, on a small gateway ten"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m $(PIP) install -c constraints.txt -e '.[demo,provider]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "installing what tests need into $(VENV)"
	@$(BIN)/python -m $(PIP) install -c constraints.txt -e '.[demo,dev,provider]'
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/flatpeak-agent demo $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

# One process more than there are cores: some tests wait for a broker, a browser or a timeout.
TESTERS = $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

test: lint
	$(BIN)/python -m pytest -m 'not full' --numprocesses $(TESTERS) --maxprocesses 4 --dist worksteal

# Without a Home Assistant its tests are skipped, with the reason that was said here.
test-full: lint
	-.ci/home-assistant >/dev/null
	-.ci/home-assistant newest >/dev/null
	$(BIN)/python -m pytest

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench $(if $(DATA),--data $(DATA))

soak: $(VENV)/.dev
	$(BIN)/python -m tests.bench --soak $(or $(DAYS),60)

# The core must install from ready-made wheels on every kind of gateway, with Debian's Python of
# today and the one before, in the versions of constraints.txt. Nothing is installed here.
WHEELS_FOR := x86_64 aarch64 armv7l
PYTHONS := 3.11 3.13
wheels: $(VENV)/.dev
	@for python in $(PYTHONS); do for arch in $(WHEELS_FOR); do \
	  $(BIN)/python -m tests.dependencies $$arch > $(VENV)/core.txt || exit 1; \
	  $(BIN)/python -m $(PIP) install --dry-run --ignore-installed \
	    --target $(VENV)/none --only-binary=:all: --python-version $$python --implementation cp \
	    --abi cp$$(echo $$python | tr -d .) --abi abi3 --abi none --platform manylinux_2_36_$$arch \
	    --platform manylinux_2_31_$$arch --platform manylinux_2_28_$$arch \
	    --platform manylinux_2_17_$$arch --platform manylinux2014_$$arch \
	    -c constraints.txt -r $(VENV)/core.txt || exit 1; \
	  echo "wheels for Python $$python on $$arch: all there"; \
	done; done

# From scratch, so that nothing is kept that no package asks for any more.
lock:
	rm -rf $(VENV)/lock
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m $(PIP) install -e '.[demo,dev,provider]'
	sed '/^[^#]/d' constraints.txt > $(VENV)/constraints.txt
	$(VENV)/lock/bin/python -m $(PIP) freeze --exclude-editable >> $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt
	rm -rf $(VENV)/lock

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find agent integrations tests -name __pycache__ -type d -prune -exec rm -rf {} +
