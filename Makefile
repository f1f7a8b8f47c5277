# make quickstart   the main job on the embedded default: everything from nothing to a table
# make test         all tests
# make bench        the short benchmarks, JSON into runs/bench
# Both do their whole set-up first, in .venv. With a GPU, install torch yourself and call pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# One process a core, each with one thread, and a file's tests in one process: they share what is
# loaded for them. Files go in their order: by number of tests, as is usual, a few slow ones come last, and
# a core waits for them.
PYTEST ?= -n auto --dist loadfile --no-loadscope-reorder

.PHONY: quickstart test bench lint types imports check clean

quickstart: $(STAMP)
	$(BIN)/clinprompt backbone fetch smollm2
	$(BIN)/clinprompt quickstart -o runs/quickstart

test: $(STAMP)
	$(BIN)/clinprompt backbone fetch smollm2
	$(BIN)/python -m pytest -q $(PYTEST)

bench: $(STAMP)
	$(BIN)/clinprompt backbone fetch smollm2
	$(BIN)/python benchmarks/training.py --rounds 1 -o runs/bench/training.json
	$(BIN)/python benchmarks/label_scoring.py --rounds 1 -o runs/bench/label-scoring.json
	$(BIN)/python benchmarks/one_note.py --rounds 1 -o runs/bench/one-note.json

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

check: lint types imports test

# torch first: a range would take a build with CUDA libraries where there is no GPU for it.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=23"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
