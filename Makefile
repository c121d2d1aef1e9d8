# make help: what there is to make. CI does nothing that a target here does not do.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := toolchain tests bench examples bin setup.py
C_SOURCES := $(wildcard toolchain/vm/core/*.[ch] tests/sanitize/*.[ch])
SECONDS_EACH ?= 60
STAMP := $(VENV)/built

.DEFAULT_GOAL := build
.PHONY: help build demo test test-kernel crash check format sanitize fuzz bench bless dist clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: $(STAMP) ## the virtual environment, with the C core compiled

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(BIN)/python pyproject.toml setup.py $(wildcard toolchain/*/build_*.py toolchain/*/abi.py toolchain/vm/core/*.[ch])
	$(BIN)/pip install --quiet --config-settings editable_mode=compat --editable '.[dev]'
	touch $@

demo: build ## the main job: two invocations share one map
	$(MAKE) --no-print-directory -C examples assembled BPF_AS=../$(BIN)/bpf-as
	BPF_LOAD=../$(BIN)/bpf-load examples/share.sh

test: build ## every test that needs neither root nor a kernel
	$(BIN)/python -m pytest -q -m 'not kernel'

test-kernel: build ## what asks the live kernel; needs root
	$(MAKE) --no-print-directory -C examples BPF_AS=../$(BIN)/bpf-as
	$(BIN)/python -m pytest -q -m kernel

crash: build ## kill -9 in numbers
	CRASH_FULL=1 $(BIN)/python -m pytest -q tests/crash

check: build ## formatting, lint, strict types, architecture, stale generated files
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/clang-format --dry-run -Werror $(C_SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: build ## put the sources into shape
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/clang-format -i $(C_SOURCES)

sanitize: build ## the C core under ASan and UBSan, by its own driver
	$(MAKE) --no-print-directory -C tests/sanitize PYTHON=../../$(BIN)/python

fuzz: build ## every fuzz target, SECONDS_EACH each
	for target in tests/fuzz/fuzz_*.py; do $(BIN)/python $$target --seconds $(SECONDS_EACH) || exit 1; done

bench: build ## medians and ratios
	$(BIN)/python -m bench

bless: build ## rewrite golden files; read the diff
	BLESS=1 $(BIN)/python -m pytest -q tests/asm tests/verifier/test_explain.py

dist: build ## sdist and wheel, the verifier compiled
	$(BIN)/pip install --quiet build 'setuptools>=77'
	TOOLCHAIN_MYPYC=1 $(BIN)/python -m build --no-isolation

clean: ## everything that was built
	rm -rf $(VENV) build dist *.egg-info toolchain/vm/_core*.so toolchain/vm/_core.c toolchain/kernel/_sys*.so toolchain/kernel/_sys.c
	$(MAKE) -C examples clean
