# One command a duty, the same at the desk and in CI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run test check bench docs clean

help: ## Tell what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

run: $(STAMP) ## Fill a demo of three homes, start the service on it, print links
	$(BIN)/statistics-manager demo --serve

test: $(STAMP) ## Run the tests; those that need PostgreSQL start it themselves
	@$(BIN)/python -m compileall -q statistics_manager_service # once, and not in each process that imports it
	$(BIN)/python -m pytest -n auto --dist loadfile

check: $(STAMP) ## Lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## Print speeds as ratios to references measured in the same run
	$(BIN)/python -m bench

docs: $(STAMP) ## Write the API's OpenAPI document to build/openapi.json
	$(BIN)/statistics-manager openapi build/openapi.json

clean: ## Remove the environment, caches and the demo
	rm -rf $(VENV) build var .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
