# One word each: setup demo test test-slow check bench simulate generate docs. Everything runs in .venv, kept by `setup`.
PYTHON ?=
FOLDER ?=
PY := .venv/bin/python
SETUP := @PYTHON="$(PYTHON)" sh scripts/setup.sh

.PHONY: help setup dev demo test test-slow check bench simulate generate docs clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup:  ## Prepare .venv with the command glow in it (PYTHON=… picks the interpreter)
	$(SETUP)

dev:
	$(SETUP) dev

demo: setup  ## Three nodes in a line do the main job (FOLDER=… on your own files, which are only read)
	@$(PY) examples/three_devices.py "$(FOLDER)"

test: dev  ## All quick tests
	$(PY) -m pytest -m "not slow"

test-slow: dev  ## The tests that take their time (as root on Debian it installs their tools first)
	@sh scripts/slow_tools.sh
	$(PY) -m pytest -m slow

check: dev docs  ## Format, lint, types, layers, generated files, wheel
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m idl.generate --check
	$(PY) scripts/check_wheel.py

bench:  ## Firefly beside gRPC, NATS, Zenoh and bare sockets (WORK=… picks rows)
	$(SETUP) bench
	$(PY) -m bench $(WORK)

simulate: setup  ## The simulator's whole table, a quarter of an hour; writes bench/simulation.json
	$(PY) -m bench.simulation

generate: setup  ## Write the stubs of idl/interfaces again
	$(PY) -m idl.generate

docs: setup  ## Check that every link and every citation of the documentation leads somewhere
	$(PY) scripts/check_docs.py

clean:  ## Remove .venv, caches and build products
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
