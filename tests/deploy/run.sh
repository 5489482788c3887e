#!/usr/bin/env bash
# The tests that need a Docker engine: the deployment, and the suites of the stores on containers. Without an engine it says so and is
# content, unless REQUIRE_BACKEND=containers.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! docker info >/dev/null 2>&1; then
    echo "No Docker engine answers, so the deployment and the container suites are not tested."
    [ "${REQUIRE_BACKEND:-}" != containers ]
    exit
fi
.venv/bin/pytest -q -m containers "${1:-tests/deploy}"
if [ -z "${1:-}" ]; then
    LATCHKEY_TEST_STACK=containers .venv/bin/pytest -q -m "not long and not containers" tests/shared/store tests/shared/relay tests/client
fi
