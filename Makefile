# Two commands matter: `make book` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BUILD := _build
# What the chapters' cells import and read.
SOURCES := $(shell find src data -type f ! -name '*.pyc' ! -path '*.egg-info/*') constraints.txt
CHAPTERS := $(wildcard chapters/*.ipynb)

# A kernel that may not write bytecode compiles torch, timm and pandas again for
# every notebook: 12 s of CPU each time.
unexport PYTHONDONTWRITEBYTECODE
export SOURCE_DATE_EPOCH := 0

.PHONY: help book test lint setup refresh documents bench clean
.DELETE_ON_ERROR:

help:
	@echo "make book       set up, execute what is stale, build the HTML book, say where it is"
	@echo "make test       set up, build the book, check style and types, run all tests and chapters"
	@echo "make lint       style and types alone"
	@echo "make setup      the environment alone, in $(VENV)"
	@echo "make refresh    execute every chapter and store its outputs"
	@echo "make documents  renew prices, the README's picture, and command outputs shown in text pages"
	@echo "make bench      counting and timing beside other tools, side by side in one run"
	@echo "make clean      remove what was built, keep the environment"

# A page that raised a warning would be taken from the cache next time, without the warning:
# after a failure, read every page again.
book: $(BUILD)/.sources
	@mkdir -p $(BUILD)/html/_static  # else a style sheet takes the folder's name when a chapter fails
	$(BIN)/jupyter-book build -W --keep-going . || { rm -rf $(BUILD)/.doctrees; exit 1; }
	@echo
	@echo "The book is built. Open $(CURDIR)/$(BUILD)/html/index.html in a browser."

# Notebooks and tests share one run of pytest, and so one summary at the end. loadscope keeps the
# cells of a notebook together.
test: lint book
	BOOK_IS_BUILT=1 $(BIN)/python -m pytest tests $(CHAPTERS) \
	    --nbval --nbval-current-env -n 2 --dist loadscope

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

setup: $(STAMP)

refresh: $(STAMP)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace \
	    --ExecutePreprocessor.record_timing=False $(CHAPTERS)

documents: $(STAMP)
	$(BIN)/python -m repro.prices.fit
	$(BIN)/python -m repro.cli.documents

bench: $(STAMP)
	$(BIN)/python benchmarks/counting.py
	$(BIN)/python benchmarks/timing.py
	$(BIN)/python benchmarks/predicting.py

clean:
	rm -rf $(BUILD)

# pip once, for uv; uv then installs everything else in a tenth of pip's time.
THERE := $(BIN)/python -m pip --version >/dev/null 2>&1
$(STAMP): pyproject.toml constraints.txt
	@$(THERE) || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed as $(PYTHON). Another one is named like this:" \
	        "make $(or $(MAKECMDGOALS),book) PYTHON=python3.12" >&2; exit 1; }
	@$(THERE) || $(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make environments yet. On Debian and Ubuntu:" \
	        "sudo apt install python3-venv" >&2; exit 1; }
	@$(THERE) || { echo "Making the environment in $(VENV): about 6 GB, PyTorch with CUDA included"; \
	    $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --python $(VENV) -q -c constraints.txt -e '.[book,test]'
	@mkdir -p $(VENV)/etc/ipython  # else each kernel warns of its unencrypted local connection
	@echo 'c.IPKernelApp.log_level = "ERROR"' > $(VENV)/etc/ipython/ipython_kernel_config.py
	touch $@

# jupyter-cache looks at code cells alone and Sphinx at pages alone: when something
# that the cells import or read has changed, drop what both have kept, and pages that were renamed.
$(BUILD)/.sources: $(STAMP) $(SOURCES)
	rm -rf $(BUILD)/.jupyter_cache $(BUILD)/.doctrees $(BUILD)/html
	mkdir -p $(BUILD)
	touch $@
