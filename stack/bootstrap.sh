#!/usr/bin/env bash
# Bring what a clean machine lacks: system packages, a virtual environment, uv in it, the locked dependencies.
# The Makefile runs it when .venv/.ready is missing or older than the lock, and not otherwise. With the word `browser` it brings Chromium
# instead, which only the tests of the portal need, with `go` the Go toolchain, which only those of examples/audit-go need, with `load` wrk,
# which only the benchmarks need, with `valgrind` that, which only `make instructions` needs; the Makefile asks for each once, before the first run that includes them.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
stop() { echo "✗ $*" >&2; exit 1; }

install() {  # system packages, as root or through a sudo that asks nothing; else say which are missing. Of `a|b` the first there is
    local as_root name names=()
    if [ "$(id -u)" -eq 0 ]; then as_root=(); elif sudo -n true 2>/dev/null; then as_root=(sudo); else as_root=(false); fi
    if [ "${as_root[*]:-}" = false ] || ! command -v apt-get >/dev/null; then
        stop "These system packages are missing: ${*//|/ or }. Install them (Debian, Ubuntu: sudo apt-get install ${*//|default-jre-headless/}) and start again."
    fi
    "${as_root[@]}" apt-get update -qq -o DPkg::Lock::Timeout=120 >/dev/null
    for name in "$@"; do
        if apt-cache show "${name%%|*}" >/dev/null 2>&1; then names+=("${name%%|*}"); else names+=("${name##*|}"); fi
    done
    echo "Installing system packages: ${names[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "${names[@]}" \
        >/dev/null </dev/null || stop "apt-get could not install ${names[*]}; its words stand above."
}

if [ "${1:-}" = load ]; then
    command -v wrk >/dev/null || install wrk
    touch .venv/.load
    exit
fi

if [ "${1:-}" = valgrind ]; then
    command -v valgrind >/dev/null || install valgrind
    touch .venv/.valgrind
    exit
fi

if [ "${1:-}" = go ]; then
    command -v go >/dev/null || install golang-go
    touch .venv/.go
    exit
fi

if [ "${1:-}" = browser ]; then
    if ! chromium --version >/dev/null 2>&1; then
        if grep -qs '^ID=ubuntu' /etc/os-release; then  # whose package only points at a snap
            .venv/bin/playwright install --with-deps chromium || stop "Playwright could not install Chromium; its words stand above."
        else
            install chromium
            chromium --version >/dev/null 2>&1 || stop "There is a chromium, but it does not start."
        fi
    fi
    touch .venv/.browser
    exit
fi

command -v "$python" >/dev/null || stop "Python 3.11 or newer is missing: install it, or name it: PYTHON=/path/to/python3 make …"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "$("$python" -V) is too old, 3.11 is needed: PYTHON=/path/to/python3 make …"

java_is_17() {
    local version
    version=$(java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ]
}

missing=()
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
java_is_17 || missing+=("openjdk-17-jre-headless|default-jre-headless")  # Debian 13 has a newer one only
command -v mvn >/dev/null || missing+=(maven)
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"

[ -x .venv/bin/python ] || "$python" -m venv .venv
if [ ! -x .venv/bin/uv ]; then
    # The version that the lock names, so that the sync below does not replace the program that runs it.
    version=$(awk '$0 == "name = \"uv\"" { getline; gsub(/"/, "", $3); print $3 }' uv.lock)
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$version"
fi
echo "Installing the locked dependencies"
# Compiled once, here: a dozen processes would do it at the same time at their first start, and again at each where Python may not write.
UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv sync --frozen --quiet --compile-bytecode
touch .venv/.ready
