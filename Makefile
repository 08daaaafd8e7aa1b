# make demo: build and serve the demo shop · make test: every test · make check: format, lint, types · make eval: measured answers · make extras: Spark and the usual recommenders, for two tests and one measurement
PYTHON ?= python3
PORT ?= 8000
PATRON_HOME ?= var
export PATRON_HOME PORT
READY := .venv/ready

.PHONY: demo test check eval env extras clean

demo: env
	.venv/bin/patron demo

test: env
	.venv/bin/python -m pytest

check: env
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

eval: env
	.venv/bin/python -m eval answers

env: $(READY)

$(READY): requirements.lock pyproject.toml
	@echo "1/2 environment in .venv: about three minutes the first time"
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --progress-bar on -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
	@echo "2/2 ready"

extras: env
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-extras.lock

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
