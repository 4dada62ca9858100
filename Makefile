# Two commands matter: `make book` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BUILD := _build
SOURCES := $(shell find src data -type f ! -name '*.pyc' ! -path '*.egg-info/*') constraints.txt
CHAPTERS := $(wildcard chapters/*.ipynb)

# A kernel that may not write bytecode compiles torch, timm and pandas again for
# every notebook: 12 s of CPU each time.
unexport PYTHONDONTWRITEBYTECODE
export SOURCE_DATE_EPOCH := 0

.PHONY: setup book test lint refresh bench clean
.DELETE_ON_ERROR:

setup: $(STAMP)

book: $(BUILD)/.sources
	$(BIN)/jupyter-book build -W --keep-going .
	@echo "The book is built. Open $(BUILD)/html/index.html in a browser."

test: setup lint
	$(BIN)/python -m pytest tests -n 2 --dist loadfile
	$(BIN)/python -m pytest --nbval --nbval-current-env -n 2 --dist loadscope $(CHAPTERS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

# Execute every chapter again and store its outputs.
refresh: setup
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace $(CHAPTERS)

bench: setup
	$(BIN)/python benchmarks/counting.py

clean:
	rm -rf $(BUILD)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --python $(VENV) -q -c constraints.txt -e '.[book,test]'
	touch $@

# jupyter-cache looks at code cells alone and Sphinx at pages alone: when something
# that the cells import or read has changed, drop what both have kept.
$(BUILD)/.sources: $(STAMP) $(SOURCES)
	rm -rf $(BUILD)/.jupyter_cache $(BUILD)/.doctrees
	mkdir -p $(BUILD)
	touch $@
