# Two commands on a fresh machine (Python ≥ 3.11, git, make): `make repro` and `make test`.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Images of containers set it: each stage and each test would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: env repro test test-quick lint docs ui lock clean

env: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rarelens needs Python 3.11 or newer; run: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --requirement requirements.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --editable .
	touch $@

repro: env  ## Check, run what changed, bring MLflow up to date.
	rarelens validate
	OMP_WAIT_POLICY=passive rarelens launch
	rarelens sync
	@echo "The report: reports/index.html. MLflow: make ui"

test: env  ## All tests; those on real data need RARELENS_REAL_DATA.
	OMP_WAIT_POLICY=passive python -m slipcover --source src/rarelens --skip-covered \
		-m pytest -n auto --dist worksteal

test-quick: env  ## What neither trains at length nor starts DVC, MLflow or another Python.
	OMP_WAIT_POLICY=passive python -m pytest -n auto -m "not slow"

lint: env
	ruff check
	ruff format --check
	lint-imports
	mypy

docs: env  ## The documentation as a site: site/index.html.
	zensical build --strict --clean

ui: env  ## Browse the runs.
	@echo 'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning'
	MLFLOW_DISABLE_TELEMETRY=true mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///mlflow.db

lock:  ## Pin anew what pyproject.toml asks for.
	pip-compile --quiet --upgrade --extra dev --strip-extras --no-header --annotation-style=line \
		--no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml
	sed -i 's/+cpu//; /^rarelens @/d; /^#/d' requirements.lock

clean:  ## Remove the environment; data, models and results stay.
	rm -rf $(VENV)
