# One command for each habit. `make help` lists them. Everything runs from one virtual environment, .venv.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The requirement files are complete, so nothing has to be resolved: --no-deps.
PINNED := $(PIP) install -qq --require-hashes --no-deps
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml

# Each worker takes whole files, so that what a file's tests share is made once; tests/conftest.py says in which order,
# and how many workers `auto` is. `make test WORKERS=0` does without.
WORKERS := auto
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install run test check lint coverage texts lock bench torture pictures verify-image prove-image clean
.DELETE_ON_ERROR:

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.dev ## Make .venv with everything for running, testing and checking

run: $(VENV)/.run ## Run the bot; without a DISCORD_TOKEN, the sandbox
	@$(BIN)/atelier run --or-sandbox

test: $(VENV)/.dev ## Run all tests
	$(PYTEST)

check: lint coverage ## Check format, lint, types, imports, and the tests' coverage

lint: $(VENV)/.dev ## Check format, lint, types and imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The least coverage stands in pyproject.toml, under tool.coverage.report.
coverage: $(VENV)/.dev ## Run all tests and measure their branch coverage
	$(PYTEST) --cov --cov-report=term

# `make texts NEW=de` begins a language.
texts: NEW :=
texts: $(VENV)/.dev ## Collect every text for people into bot/locale, for translators
	$(BIN)/python scripts/extract-i18n $(NEW)

lock: $(BIN)/uv ## Pin and hash the newest versions that pyproject.toml allows
	$(BIN)/$(COMPILE) --upgrade --group build --output-file requirements/run.txt
	$(BIN)/$(COMPILE) --upgrade --group build --extra sandbox --constraint requirements/run.txt \
		--output-file requirements/sandbox.txt
	$(BIN)/$(COMPILE) --upgrade --group dev --extra sandbox --constraint requirements/sandbox.txt \
		--output-file requirements/dev.txt

# `make bench GROUPS="scale crowd polls weight rate flow"` measures the rest; docs/performance.md says what came of it.
GROUPS := race
bench: $(VENV)/.dev ## Measure
	$(BIN)/python -m benchmarks $(GROUPS)

# SEED decides everything that a round does; DATABASE is sqlite, postgresql or both.
torture: SEED := 1
torture: N := 100
torture: DATABASE := both
torture: $(VENV)/.dev ## Kill the bot at random instants, N times: make torture SEED=1 N=100
	$(BIN)/python -m tests.chaos --seed $(SEED) --rounds $(N) --database $(DATABASE) --transitions

pictures: $(VENV)/.dev ## Take the README's pictures anew; needs Chromium
	$(BIN)/python scripts/make-screenshots

verify-image: $(VENV)/.run ## Follow the Dockerfile without Docker and try the result
	$(BIN)/python scripts/verify-image

prove-image: verify-image

clean: ## Remove .venv, caches and builds; data/ stays
	rm -rf $(VENV) build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find bot cogs db sandbox tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: a step is done again when what it depends on has changed.

# A new pip reads an index twice as fast as the one that comes with Python 3.11, so the pinned one comes first.
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
