# Two commands on a fresh machine (Python 3.11+, make, git): `make up` to try it, `make test` to trust it.

PYTHON ?= python3
VENV := .venv
APPS := .venv-apps
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: up test lint format fuzz bench bench-quick bench-peers clean

up: $(VENV)/up.stamp
	@exec $(BIN)/gateway up

test: $(VENV)/test.stamp $(APPS)/stamp
	$(BIN)/pytest -n auto $(ARGS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Bounded: a minute each, or FUZZ_SECONDS. What it finds is written to .fuzz/; a crash is an exit code and a file there.
fuzz: $(VENV)/fuzz.stamp
	@mkdir -p .fuzz/corpus .fuzz/relay
	$(BIN)/python tests/fuzz/fuzz_relay.py -max_total_time=$(or $(FUZZ_SECONDS),60) -artifact_prefix=.fuzz/
	$(BIN)/python tests/fuzz/fuzz_questions.py -max_total_time=$(or $(FUZZ_SECONDS),60) -artifact_prefix=.fuzz/

# Figures, each bar's verdict, loadtests/results/: 26 minutes, or 7. wrk and nginx are asked for (apt install wrk nginx).
# ONLY="checks traefik" measures only that.
bench: $(VENV)/test.stamp
	$(BIN)/python loadtests/bench.py $(addprefix --only ,$(ONLY))

bench-quick: $(VENV)/test.stamp
	$(BIN)/python loadtests/bench.py --quick $(addprefix --only ,$(ONLY))

# The same question to a peer of yours: make bench-peers AUTHELIA=/path/to/authelia [AUTHELIA_REDIS=host:port]
bench-peers: $(VENV)/test.stamp
	AUTHELIA="$(AUTHELIA)" AUTHELIA_REDIS="$(AUTHELIA_REDIS)" $(BIN)/python loadtests/measures/peers.py

clean:
	rm -rf $(VENV) $(APPS) .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# The hash-pinned lock, then this project itself: nothing is resolved, and nothing but the lock is downloaded.
$(VENV)/up.stamp: requirements.lock pyproject.toml | $(BIN)/pip
	@echo "installing what requirements.lock names"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/test.stamp: requirements-test.lock pyproject.toml | $(BIN)/pip
	@echo "installing what requirements-test.lock names"
	@$(INSTALL) --require-hashes -r requirements-test.lock
	@$(INSTALL) --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/up.stamp

# Apps that others wrote, which run behind the gateway in the tests; in an environment of their own, because of their pins.
$(APPS)/stamp: tests/apps/requirements.lock | $(BIN)/pip
	@echo "installing what tests/apps/requirements.lock names"
	@test -d $(APPS) || $(PYTHON) -m venv $(APPS)
	@$(APPS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/fuzz.stamp: requirements-fuzz.lock $(VENV)/test.stamp
	@$(INSTALL) --require-hashes -r requirements-fuzz.lock
	@touch $@

# After a change of the dependencies in pyproject.toml (needs uv). Pins and hashes only, no addresses.
.PHONY: lock
lock:
	uv pip compile pyproject.toml --extra demo --group build --universal --generate-hashes --no-header --no-annotate \
		--quiet -o requirements.lock
	uv pip compile pyproject.toml --extra demo --group build --group test --group lint --universal --generate-hashes \
		--no-header --no-annotate --quiet -o requirements-test.lock
	uv pip compile tests/apps/requirements.txt --python-version 3.11 --universal --generate-hashes \
		--no-header --no-annotate --quiet -o tests/apps/requirements.lock
	uv pip compile --group fuzz --universal --generate-hashes \
		--no-header --no-annotate --quiet -o requirements-fuzz.lock
