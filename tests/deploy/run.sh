#!/usr/bin/env bash
# The tests that need a Docker engine: the deployment, then the suites of store, relay and consumer on containers; or those of one file, the long ones too.
# Without an engine it says so and is content, unless REQUIRE_BACKEND=containers.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! docker info >/dev/null 2>&1; then
    echo "No Docker engine answers, so the deployment and the container suites are not tested."
    [ "${REQUIRE_BACKEND:-}" != containers ]
    exit
fi
trap 'exit 143' TERM  # after pytest, which clears away when it is told to end
if [ -n "${1:-}" ]; then
    exec .venv/bin/pytest -q -m containers "$1"
fi
.venv/bin/pytest -q -m "containers and not long" tests/deploy
consumer=(tests/client/test_consumer.py tests/client/test_consumer_outage.py tests/client/test_survival.py)
LATCHKEY_TEST_STACK=containers .venv/bin/pytest -q -m "stack and not long" tests/shared/store tests/shared/relay "${consumer[@]}"
