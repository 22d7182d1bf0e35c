# `make demo` shows the product, `make test` proves it; both set up what they need. Words: setup fmt lint type unit contract lab-test test test-all bench docs demo clean
SHELL := /bin/sh
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# unit and contract tests use every core, with two workers each (tests/conftest.py)
PARALLEL := $(PYTEST) -q -n auto --dist loadfile
# tests of the shared environment run one after the other, those with hosts of their own beside them (tests/lab/conftest.py)
LAB := $(PYTEST) -q -n 2
TIMED := scripts/timed
TREES := debian13:full,debian13:bare,debian12:bare
.PHONY: setup tools demo fmt lint type unit contract lab-test test test-all bench docs clean

setup:  ## packages, .venv, bundle and the root tree of lab hosts
	@python3 scripts/setup.py --lab $(TREES)

tools:
	@python3 scripts/setup.py

demo:  ## four lab hosts become a Kubernetes environment; KEEP=1 leaves it running
	@python3 scripts/setup.py --lab debian13:full
	@$(BIN)/python scripts/demo.py

fmt: tools
	$(BIN)/ruff check --fix --exit-zero -q .
	$(BIN)/ruff format .

lint: tools
	@$(TIMED) "ruff check" $(BIN)/ruff check .
	@$(TIMED) "ruff format" $(BIN)/ruff format --check .
	@$(TIMED) "layers" $(BIN)/lint-imports --no-cache
	@$(TIMED) "spelling" $(BIN)/codespell rancherctl tests scripts docs README.md CONTRIBUTING.md CHANGELOG.md

type: tools
	@$(TIMED) mypy $(BIN)/mypy

unit: tools  ## ONLY=dns: one domain (a folder of tests/unit)
	$(PARALLEL) tests/unit$(if $(ONLY),/$(ONLY))

contract: tools
	$(PARALLEL) tests/contract

lab-test: setup  ## ONLY=dns: one domain (a folder of tests/lab); SLOW=1: with the slowest tests
	$(LAB) -m "$(if $(SLOW),lab,lab and not slow)" tests/lab$(if $(ONLY),/$(ONLY))

test: lint type setup  ## everything but the slowest; ends with pytest's closing line
	$(PARALLEL) -m "not slow" tests/unit tests/contract
	$(LAB) -m "not slow" --durations=15 tests/lab

test-all: lint type setup
	$(PARALLEL) tests/unit tests/contract
	$(LAB) --durations=25 tests/lab

bench: setup
	$(BIN)/python scripts/bench.py

docs: tools  ## completions/ and man/ from the command tree
	$(BIN)/python scripts/docs.py

clean:  ## what the tree's own commands made; caches outside the tree stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
