"""Operators' commands of registry: `python -m services.registry.ops --help`."""

import sys

from services.registry.settings import PREFIX, Settings
from services.registry.wiring import SERVICE, build_toolbox
from shared.ops.kit import run_ops


def main() -> int:
    """Carry out one command; answers its exit status."""
    return run_ops(SERVICE, lambda: build_toolbox(Settings.from_env(PREFIX)))


if __name__ == "__main__":
    sys.exit(main())
