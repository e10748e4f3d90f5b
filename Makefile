# make test   installs what the tests need and runs them
# make lint   formatting, lint and types
# make clean  removes the environment
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin

.PHONY: test lint clean
.venv/installed: pyproject.toml requirements/test.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt install python3 python3-venv"; exit 1; }
	@echo "making the environment with $(PYTHON) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@echo "installing wakebus and what its tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e . -r requirements/test.txt
	@touch $@

.venv/linted: .venv/installed requirements/lint.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/lint.txt
	@touch $@

test: .venv/installed
	$(BIN)/python -m pytest -q

lint: .venv/linted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
