# One target for each habit; `make help` lists them. Everything runs from one virtual environment, .venv.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The requirement files are complete, so pip need not resolve anything: --no-deps.
PINNED := $(PIP) install -qq --require-hashes --no-deps
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml

# Each worker takes whole files, so that fixtures shared by a file are built once. tests/conftest.py sorts the files and
# sets the number for `auto`. `make test WORKERS=0` runs everything in one process.
WORKERS := auto
# Containers often switch bytecode off. Each worker and each bot of a test would compile everything again.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install run test test-fast check lint coverage audit-dependencies i18n lock bench chaos screenshots \
	verify-image clean
# Former names, kept for one release.
.PHONY: texts torture pictures prove-image
.DELETE_ON_ERROR:

help: ## List the targets
	@awk -F '( [a-z-]+)?:.*## ' '/^[a-z0-9-]+( [a-z-]+)?:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.dev ## Make .venv with everything for running, testing and checking

run: $(VENV)/.run ## Run the bot; without a DISCORD_TOKEN, the sandbox
	@$(BIN)/atelier run --or-sandbox

# COVERAGE=1 measures branch coverage too; the run then fails below tool.coverage.report's fail_under in pyproject.toml.
COVERAGE :=
test: $(VENV)/.dev ## Run all tests; COVERAGE=1 also measures their branch coverage
	$(PYTEST) $(if $(COVERAGE),--cov --cov-report=term)

test-fast: $(VENV)/.dev ## Run the tests of domain, ui, services and db on SQLite: under a minute
	$(PYTEST) tests/domain tests/ui tests/services tests/db -k "not postgresql"

check: lint coverage ## Check format, lint, types, imports, and all tests with their coverage

lint: $(VENV)/.dev ## Check format, lint, types and imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy scripts/make-screenshots
	$(BIN)/mypy scripts/verify-image
	$(BIN)/lint-imports

coverage: COVERAGE := 1
coverage: test ## Run all tests and measure their branch coverage

# Needs the network: pip-audit compares the pinned versions with an advisory database.
audit-dependencies: $(VENV)/.dev ## Look for known vulnerabilities in the pinned requirements
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/run.txt
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/dev.txt

# `make i18n NEW=de` adds a language.
i18n texts: NEW :=
i18n texts: $(VENV)/.dev ## Collect all translatable texts into bot/locale
	$(BIN)/python scripts/extract-i18n $(NEW)

lock: $(BIN)/uv ## Pin and hash the newest versions that pyproject.toml allows
	$(BIN)/$(COMPILE) --upgrade --group build --output-file requirements/run.txt
	$(BIN)/$(COMPILE) --upgrade --group build --extra sandbox --constraint requirements/run.txt \
		--output-file requirements/sandbox.txt
	$(BIN)/$(COMPILE) --upgrade --group dev --extra sandbox --constraint requirements/sandbox.txt \
		--output-file requirements/dev.txt

# `make bench GROUPS="scale crowd polls weight rate flow"` runs the other groups; docs/performance.md has the results.
GROUPS := race
bench: $(VENV)/.dev ## Measure the bot beside a minimal handler
	$(BIN)/python -m benchmarks $(GROUPS)

# SEED determines each round; DATABASE is sqlite, postgresql or both.
chaos torture: SEED := 1
chaos torture: N := 100
chaos torture: DATABASE := both
chaos torture: $(VENV)/.dev ## Kill the bot at random instants, N times: make chaos SEED=1 N=100
	$(BIN)/python -m tests.chaos --seed $(SEED) --rounds $(N) --database $(DATABASE) --transitions

screenshots pictures: $(VENV)/.dev ## Take the screenshots in docs/pictures again; needs Chromium
	$(BIN)/python scripts/make-screenshots

verify-image prove-image: $(VENV)/.run ## Follow the Dockerfile without Docker and test the result
	$(BIN)/python scripts/verify-image

clean: ## Remove .venv, caches and builds; data/ stays
	rm -rf $(VENV) build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find bot cogs db sandbox tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: a step runs again when a file that it depends on has changed.

# The pinned pip is installed first: it reads an index twice as fast as the pip bundled with Python 3.11.
$(VENV)/.made:
	@sh scripts/make-venv $(VENV)
	@awk '/^[^ #]/ {wanted = /^pip==/} wanted' requirements/dev.txt > $(VENV)/pip.txt
	@$(PINNED) -r $(VENV)/pip.txt
	@touch $@

# The production image installs requirements/run.txt alone; a checkout runs the sandbox too.
$(VENV)/.run: $(VENV)/.made requirements/sandbox.txt pyproject.toml bot/__init__.py
	@echo "Installing the bot and the sandbox (about half a minute, once)"
	@$(PINNED) -r requirements/sandbox.txt
	@$(PIP) install -qq --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "Installing what the tests and checks need (about half a minute, once)"
	@$(PINNED) -r requirements/dev.txt
	@touch $@

$(BIN)/uv: | $(VENV)/.made
	$(PIP) install --quiet uv
