# Flask-Refunds. `make help` lists the targets; each works from a fresh checkout.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=

CODE := flask_refunds tests example_app benchmarks migrations docs/conf.py setup.py noxfile.py scripts/new-migration scripts/vendor-chart scripts/screenshots
SPHINX := $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky --builder html
TEMPLATES := $(wildcard flask_refunds/templates) $(wildcard example_app/templates)

.DEFAULT_GOAL := help
.PHONY: help demo test docs matrix matrix-ci chaos mutations bench format
.PHONY: check check-format check-code check-types check-floors check-templates check-migrations check-docs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# One installation per setup.py: with the stamp in place, nothing asks the network again.
$(STAMP): setup.py
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed: set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[example,dev]'
	touch $@

demo: $(STAMP) ## Run a seeded shop with a simulated gateway and a worker; Ctrl-C ends it all
	exec $(BIN)/python -m example_app.demo

test: $(STAMP) ## Run every test, on real servers and a real browser
	scripts/system-packages
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

matrix: $(STAMP) ## Test the built wheel at the ends of all that we support (SESSIONS="oldest newest-3.13")
	PYTEST_WORKERS=$(PYTEST_WORKERS) $(BIN)/python -m nox $(if $(SESSIONS),-s $(SESSIONS)) -- $(PYTEST_ARGS)

matrix-ci: $(STAMP) ## The quick part of it: the oldest of everything, with this Python
	PYTEST_WORKERS=$(PYTEST_WORKERS) $(BIN)/python -m nox -s quick

docs: $(STAMP) ## Build docs/_build/html anew; every warning is an error
	$(SPHINX) --fresh-env docs docs/_build/html

check: check-format check-code check-types check-floors check-templates check-migrations check-docs ## Format, lint, types, import floors, templates, migrations, docs

check-format: $(STAMP)
	$(BIN)/ruff format --check $(CODE)

check-code: $(STAMP)
	$(BIN)/ruff check $(CODE)

check-types: $(STAMP)
	$(BIN)/mypy

check-floors: $(STAMP)
	$(BIN)/lint-imports

check-templates: $(STAMP)
	$(if $(TEMPLATES),$(BIN)/djlint --check --lint $(TEMPLATES))

check-migrations: $(STAMP)
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/integration/test_migrations.py -k sqlite

check-docs: $(STAMP)
	$(SPHINX) docs docs/_build/html

chaos: $(STAMP) ## Refund through a storm of faults (SEED, REFUNDS, KEYS=on|off|ignored, DATABASE_URL)
	@$(BIN)/python -m tests.chaos

mutations: $(STAMP) ## Take the guards away one by one; the tests named for each must fail
	@$(BIN)/python -m tests.chaos.mutations $(NAMES)

bench: $(STAMP) ## Run the benchmarks; one JSON object per line
	@$(BIN)/python -m benchmarks

format: $(STAMP) ## Put code and templates in order
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(if $(TEMPLATES),-$(BIN)/djlint --reformat $(TEMPLATES))
