# make reproduce: the whole comparison on text that needs no download; make test: the fast tests.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install reproduce gpu test test-slow test-all lint docs results clean

help:
	@echo "make install    a virtual environment in .venv with the pinned versions"
	@echo "make reproduce  the quick comparison, offline: runs/, tables and plots; with DATA=DIR, CLINC150 and R8 too"
	@echo "make gpu        on a GPU, with DATA=DIR: its tests, the engine's speed, and what fits of encoders that train"
	@echo "make test       the fast tests: every method; 9 to 16 minutes on two cores"
	@echo "make test-all   those, and the slow ones: browser, LaTeX, wheel, W&B and Ray processes, notebooks"
	@echo "make lint       ruff, mypy, import-linter"
	@echo "make docs       the documentation site, in site/"
	@echo "make results    the committed tables, figures and README tables, from the committed result files"

install: .venv/.installed

# Made again whenever what it is made from has changed.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[offline,dev]"
	@touch $@

# With DATA=DIR, what is at hand of two datasets at full size goes first: a wrong folder shows at once.
reproduce: install
	$(if $(DATA),$(BIN)/clbench reproduce full_size --data-dir "$(DATA)" --skip-missing-data)
	$(BIN)/clbench reproduce

# With the Python that has torch for the GPU: nothing is installed, and nothing is downloaded. What GPU_SECONDS cut
# off goes on with the same command.
GPU_SECONDS ?= 400
GPU_RUNS ?= main --profile small
GPU_BENCH ?= encode assign key_init train_step evaluate train_encoder_step
GPU_RESULTS ?= runs
GPU_WORKERS ?= 12
gpu:
	$(PYTHON) -m pytest -n $(GPU_WORKERS) -m gpu tests/gpu
	$(PYTHON) -m clbench bench $(GPU_BENCH) --json "$(GPU_RESULTS)/speed.json"
	timeout --signal INT $(GPU_SECONDS) $(PYTHON) -m clbench reproduce $(GPU_RUNS) --workers $(GPU_WORKERS) \
	  --results "$(GPU_RESULTS)" $(if $(DATA),--data-dir "$(DATA)") || test $$? -eq 124

test: install
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

# Most of the slow tests are in one file and share nothing: the workers divide them among each other.
test-slow: install
	$(BIN)/pytest -n 2 --dist worksteal -m slow

test-all: test test-slow

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
