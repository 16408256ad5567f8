# Needs python3 (3.11 or newer) with its venv module, git and make; PostgreSQL and all else come into .venv.
# `make` alone says what there is.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-foreign soak fuzz fast lint audit bench growth serve openapi migrate

VENV := .venv
BIN := $(VENV)/bin
# The version that the Dockerfile takes too. A uv on the PATH is used as it is.
UV_VERSION := 0.13.9
# What is installed stands in .venv; these say for which uv.lock. The first is enough to run, the second to change.
RUNS := $(VENV)/.installed-to-run
TESTS := $(VENV)/.installed-to-change

# Tests start hundreds of programs: none of them should compile the libraries anew (measured: a quarter of the time).
unexport PYTHONDONTWRITEBYTECODE

export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(VENV)
# The machine's own certificates, where it has them: an office network may vouch for itself.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS := 1
endif
# Else pyright asks the package index at each run whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNS) ## Run the whole story over real HTTP, narrated, on a database of its own
	@$(BIN)/ketenbrug demo --json

test: $(TESTS) lint ## Run all checks that CI runs
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 \
		--include='api/consent/*,api/audit/*,api/crypto/*,api/custody/*,api/disclosure/*,api/oauth/*'

test-foreign: $(TESTS) ## Test against clients, log verifiers and key services of others; needs Go, SoftHSM and Chromium, fetches packages
	@$(SYNC) --group foreign
	$(BIN)/python -m pytest tests/foreign

soak: $(TESTS) ## Kill the log's leader and PostgreSQL twenty times under load, and prove every receipt; some minutes
	$(BIN)/python -m pytest tests/soak

fuzz: $(TESTS) ## Send 100,000 hostile inputs to the guard and to the authorization server
	$(BIN)/python -m pytest -n auto --dist load tests/adversary/test_fuzz_oauth.py --hypothesis-profile=fuzz --durations=5

fast: $(TESTS) ## Run the tests that need no database: while you type
	$(BIN)/python -m pytest tests/unit tests/properties tests/architecture

lint: $(TESTS) ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@echo "$(BIN)/mypy and $(BIN)/pyright, beside each other"
	@$(BIN)/pyright > $(VENV)/pyright.txt 2>&1 & beside=$$!; $(BIN)/mypy; ended=$$?; \
		wait $$beside || ended=1; cat $(VENV)/pyright.txt; exit $$ended
	$(BIN)/lint-imports

audit: $(TESTS) ## Look up the locked packages in PyPI's list of known vulnerabilities
	@PATH="$$PATH:$(BIN)"; uv export --quiet --frozen --no-emit-project --all-groups --all-extras > $(VENV)/locked.txt
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement $(VENV)/locked.txt

bench: $(TESTS) ## Measure what the protected read costs beside an unprotected one, and a logged append beside a bare one
	$(BIN)/python -m tests.bench

growth: $(TESTS) ## Measure append, proof and search in a log of 10,000 entries beside one of a million; takes minutes
	$(BIN)/python -m tests.bench.growth

serve: $(RUNS) ## Start the service; needs KETENBRUG_DATABASE_URL, KETENBRUG_WORK_DATABASE_URL and keys
	$(BIN)/ketenbrug serve

openapi: $(RUNS) ## Write the API description under openapi/
	$(BIN)/ketenbrug openapi

migrate: $(RUNS) ## Bring the database of KETENBRUG_DATABASE_URL to this release
	$(BIN)/ketenbrug migrate

# The rest is installation.

# A home that cannot be written has no room for a cache of downloads; then it stands with the environment.
SYNC = PATH="$$PATH:$(BIN)"; if [ ! -w "$${HOME:-/nonexistent}" ]; then export UV_CACHE_DIR="$(VENV)/cache"; fi; \
	uv sync --quiet --frozen

$(TESTS): pyproject.toml uv.lock | $(BIN)/python
	@echo "Installing what tests and checks need into $(VENV)"
	@$(SYNC)
	@touch $(RUNS) $(TESTS)

$(RUNS): pyproject.toml uv.lock | $(BIN)/python
	@echo "Installing into $(VENV)"
	@$(SYNC) --no-dev --extra sandbox --inexact
	@touch $(RUNS)

$(BIN)/python:
	@python=; for each in python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then python=$$each; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 or newer is needed: on Debian or Ubuntu, apt install python3 python3-venv." >&2; exit 1; \
	fi; \
	if command -v uv > /dev/null; then exec uv venv --quiet --allow-existing --python "$$python" $(VENV); fi; \
	if ! $$python -c 'import ensurepip, venv' 2> /dev/null; then \
		echo "The venv module of Python is missing: on Debian or Ubuntu, apt install python3-venv." >&2; exit 1; \
	fi; \
	echo "Installing uv into $(VENV)"; \
	$$python -m venv $(VENV) && $(BIN)/python -m pip install --quiet --no-cache-dir --disable-pip-version-check uv==$(UV_VERSION) \
		|| { rm -rf $(VENV); exit 1; }
