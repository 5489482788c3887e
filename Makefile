# What a person does here, each in one word. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

IN := .venv/bin/
PYTHON_CODE := shared services portal client stack demo benchmarks deploy examples tests
MEMBERS := $(wildcard pyproject.toml uv.lock */pyproject.toml services/*/pyproject.toml)
READY := .venv/.ready
only ?= tests
BROWSER := $(if $(filter tests tests/ tests/portal%,$(only)),.venv/.browser)
GO := $(if $(filter tests tests/ tests/client% tests/journeys%,$(only)),.venv/.go)

.PHONY: help demo up down status logs test test-long test-deploy release audit check bench bench-growth instructions shots clean

help:  ## this screen
	@echo "Latchkey: API keys for a payments platform, event-sourced, on PostgreSQL, Valkey and Kafka."
	echo
	sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	echo
	echo "  LATCHKEY_PORT_OFFSET=100 moves every port by 100, so that two clones run side by side."

demo: $(READY)  ## walk the whole guide on real purchases   (keep=1 leaves the stack running)
	@$(IN)python -m demo $(if $(keep),--keep)

up: $(READY)  ## start the whole product as local processes
	@$(IN)python -m stack up

down: $(READY)  ## stop everything; the data stays
	@$(IN)python -m stack down

status: $(READY)  ## what runs, and whether it serves
	@$(IN)python -m stack status

logs: $(READY)  ## the end of the logs   (of=keys-main one process, follow=1 goes on)
	@$(IN)python -m stack logs $(of) $(if $(follow),--follow)

test: $(READY) $(BROWSER) $(GO)  ## every test, on real parts   (only=tests/keys)
	@$(IN)pytest -q -m "not long and not containers" $(only)

test-long: $(READY) $(BROWSER) $(GO)  ## the tests that run longer than 30 seconds each   (only=tests/faults)
	@wanted=long
	if ! docker info >/dev/null 2>&1; then
		echo "No Docker engine answers, so the long tests of the deployment are not run."
		if [ "$${REQUIRE_BACKEND:-}" = containers ]; then exit 1; fi
		wanted="long and not containers"
	fi
	$(IN)pytest -q -m "$$wanted" --timeout=3600 $(only)

test-deploy: $(READY) $(GO)  ## the tests on a Docker engine: docker-compose, rights, kills; the stores' suites on containers
	@bash tests/deploy/run.sh $(only:tests=)

release: $(READY)  ## wheels, images, bills of materials and licences into dist/   (version=1.2.3 where HEAD has no tag)
	@bash deploy/release/release.sh $(version)

audit: $(READY)  ## ask PyPI whether a locked dependency has a known hole
	@$(IN)uv export --quiet --frozen --no-dev --no-emit-workspace --all-packages --format requirements.txt > .venv/audited.txt
	said=$$($(IN)uv tool run --quiet pip-audit@2.10.1 --strict --disable-pip --require-hashes -r .venv/audited.txt 2>&1) && ended=0 || ended=$$?
	echo "$$said"
	if [[ $$said == *"not found on PyPI"* ]]; then
		echo "✗ Nothing was audited: whoever answers for PyPI on this machine does not offer its vulnerability API." >&2
	fi
	exit $$ended

check: $(READY)  ## format, lint, types, import contracts, sizes and rooms, unit tests
	@$(IN)ruff format --check .
	$(IN)ruff check .
	$(IN)mypy $(PYTHON_CODE)
	$(IN)lint-imports --no-logo
	$(IN)python -m tests.house.gate
	$(IN)python -m latchkey.contracts --check
	$(IN)pytest -q tests/client/unit/test_contracts.py
	$(IN)python -m shared.http.error_pages --check
	$(IN)pytest -q -m "not stack and not slow and not long and not containers"

bench: $(READY) .venv/.load  ## measure the hot paths against goal, floor and peer   (BENCH=relay,verify  quick=1)
	@BENCH_QUICK=$(quick) $(IN)python -m benchmarks $(or $(BENCH),$(only:tests=))

bench-growth: $(READY) .venv/.load .venv/.plots  ## how cost grows with the data, and heavy peers   (BENCH=keys,overview  BENCH=keycloak,debezium)
	@BENCH_QUICK=$(quick) $(IN)python -m benchmarks.growth $(BENCH)

instructions: $(READY) .venv/.valgrind  ## count what the pure hot code costs; fails where it became dearer   (keep=1 keeps the counts)
	@$(IN)python -m benchmarks.instructions $(if $(keep),keep)

shots: $(READY) .venv/.browser  ## photograph every page of the portal into .local/shots
	@$(IN)python -m tests.portal.shots

clean: $(READY)  ## remove the stack with all its data, after asking   (YES=1 does not ask)
	@$(IN)python -m stack clean $(if $(YES),--yes)

$(READY): $(MEMBERS) stack/bootstrap.sh
	@bash stack/bootstrap.sh

.venv/.valgrind: stack/bootstrap.sh | $(READY)
	@bash stack/bootstrap.sh valgrind

.venv/.load: stack/bootstrap.sh | $(READY)
	@bash stack/bootstrap.sh load

.venv/.plots: $(READY)  # each sync takes away what is in no group of its own
	@UV_PROJECT_ENVIRONMENT=.venv $(IN)uv sync --frozen --quiet --group plots
	touch $@

.venv/.browser: stack/bootstrap.sh | $(READY)
	@bash stack/bootstrap.sh browser

.venv/.go: stack/bootstrap.sh | $(READY)
	@bash stack/bootstrap.sh go
