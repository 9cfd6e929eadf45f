# Two commands are all a newcomer needs: `make demo` and `make test`. Both build what is missing first, in this folder (.venv,
# build/, and the two generated folders that .gitignore names), and are quick the second time. What the tests need beyond that,
# `make need` gets: Debian's packages, by apt, and geth, into the user's cache folder.

PYTHON ?= python3
ARGS ?=
LOCK_WITH = uv>=0.13,<0.14

VENV = .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
INSTALLED = $(VENV)/.installed
BUILT = $(VENV)/.built
BUILD_INPUTS = hatch_build.py pyproject.toml $(wildcard contracts/.npmrc $(addprefix contracts/,*.sol *.json *.mjs interfaces/*.sol libraries/*.sol))
GENERATED = src/daisee/ledger/artifacts/EnergyExchange.json src/daisee/web/static/vendor/uPlot.iife.min.js

# An environment whose Python is gone (the system went on to the next one) is made anew.
ifneq ($(wildcard $(INSTALLED)),)
ifneq ($(shell $(VENV)/bin/python -c 'print("alive")' 2>/dev/null),alive)
$(INSTALLED): anew
endif
endif

# Generated files that somebody removed by hand are built again.
ifneq ($(words $(wildcard $(GENERATED))),$(words $(GENERATED)))
$(BUILT): anew
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-chain venv build need lint format lock try-monitor bench-gas bench-monitor fuzz-sensors fuzz-contracts mutate-contracts cover-contracts docs picture \
	wheel clean anew

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile
	@echo '  Options pass through: make demo ARGS="--headless --days 1", make test ARGS="-k credit",'
	@echo '  and another Python: make test PYTHON=python3.12'

demo: build ## Open a street of measured homes that trade, live, in the browser
	@$(VENV)/bin/daisee demo $(ARGS)

test: build need lint ## Get what the tests need, then check and test everything
	@$(VENV)/bin/python -m pytest $(ARGS)

test-chain: build need ## Let networks of real nodes fail and recover; writes build/bench/chain.json; ARGS="--load-minutes 1"
	@$(VENV)/bin/python -m pytest tests/faults $(ARGS)

venv: $(INSTALLED) ## Make the Python environment, .venv, from the lock

build: $(BUILT) ## Compile the contracts and lay out the page's assets

need: build ## Get what the tests need beyond Python: Chromium, PostgreSQL, Mosquitto, geth
	@$(VENV)/bin/python tools/need.py

lint: build ## Look without running: style, types, walls
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

format: venv ## Put the Python code into shape
	@$(VENV)/bin/ruff check --fix
	@$(VENV)/bin/ruff format

# tailer is out as a source archive only; dsmr-parser wants it for a client that reads log files, which we do not use.
lock: ## Pin every dependency anew, with hashes and without addresses; make lock ARGS=--upgrade takes newer ones
	@'$(PYTHON)' -m venv build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check install --quiet '$(LOCK_WITH)'
	@echo tailer >build/lock/excludes
	@build/lock/bin/uv pip compile pyproject.toml --group dev --excludes build/lock/excludes --universal --python-version 3.11 --generate-hashes \
		--no-build --no-config --custom-compile-command 'make lock' --quiet --output-file requirements.lock $(ARGS)

try-monitor: build need ## A device of every kind, simulated, heard by one home, with a real Mosquitto and PostgreSQL
	@PYTHONPATH=. $(VENV)/bin/python tools/try_monitor.py

bench-monitor: build need ## Measure the monitor beside the way of 2017; writes build/bench/monitor.json
	@$(VENV)/bin/python -m benchmarks.monitor

bench-gas: build ## Measure what the contracts cost, beside others; writes build/bench/gas.json
	@$(VENV)/bin/python -m benchmarks.gas

fuzz-sensors: build ## Feed every decoder of bytes whatever a fuzzer can think of; ARGS="--seconds 300 --only p1"
	@$(VENV)/bin/python -m tests.monitor.fuzz_sensors $(ARGS)

fuzz-contracts: build ## Let ten accounts do a million things to the contracts; ARGS="--calls 5000 --seed 7"
	@$(VENV)/bin/python -m tests.contracts.fuzz $(ARGS)

mutate-contracts: build ## See that the tests see faults in the contracts; an hour, or ARGS="Pair.sol" for some
	@$(VENV)/bin/python tools/mutate.py $(ARGS)

cover-contracts: build ## Measure which branches of the contracts their tests take
	@$(VENV)/bin/python tools/cover.py

docs: build ## Write the pages of the reference that come from the code
	@$(VENV)/bin/python tools/reference.py

picture: build need ## Take the picture of the README anew
	@$(VENV)/bin/python tools/screenshot.py

wheel: build ## Make the wheel, in dist/
	@$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

clean: ## Remove everything that was made here
	@rm -rf $(VENV) build dist node_modules contracts/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache src/daisee/ledger/artifacts src/daisee/web/static/vendor
	@find src tests tools benchmarks hardware -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock
	@sh tools/python.sh '$(PYTHON)'
	@echo 'Setting up Python in $(VENV) (a few minutes the first time) ...'
	@'$(PYTHON)' -m venv --clear $(VENV)
	@$(PIP) install --quiet --no-deps --require-hashes --only-binary :all: --requirement requirements.lock
	@touch $@

$(BUILT): $(INSTALLED) $(BUILD_INPUTS)
	@echo 'Building the contracts and the page assets ...'
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@
