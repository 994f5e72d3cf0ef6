# make reproduce: the whole comparison on text that needs no download; make test: the tests.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install reproduce test lint docs results clean

help:
	@echo "make install    a virtual environment in .venv with the pinned versions"
	@echo "make reproduce  the quick comparison, offline: runs/, tables and plots"
	@echo "make test       the tests"
	@echo "make lint       ruff, mypy, import-linter"
	@echo "make docs       the documentation site, in site/"
	@echo "make results    the committed tables, figures and README tables, from the committed result files"

install: .venv/.installed

# Made again whenever what it is made from has changed.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[offline,dev]"
	@touch $@

reproduce: install
	$(BIN)/clbench reproduce

test: install
	$(BIN)/pytest -n 2

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

results: install
	PYTHONPATH=tests $(BIN)/python tests/support/committed_reports.py

clean:
	rm -rf .venv build dist site *.egg-info
