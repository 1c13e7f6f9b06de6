# make demo, make test: all set-up included. Needs python3 >= 3.10 and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python

.PHONY: demo test test-slow bench lint format clean

demo: $(VENV)/.installed
	$(RUN) -m recipes.demo

test: $(VENV)/.installed
	$(RUN) -m pytest -m "not slow" -n 2 --durations=10

test-slow: $(VENV)/.installed
	$(RUN) -m pytest -m slow

bench: $(VENV)/.installed
	$(RUN) tests/benchmarks/random_noise.py
	$(RUN) tests/benchmarks/preset_load.py
	$(RUN) tests/benchmarks/likelihood_memory.py

lint: $(VENV)/.installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pyright --pythonpath $(RUN)

format: $(VENV)/.installed
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/.installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
