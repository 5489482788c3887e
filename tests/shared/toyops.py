"""The toy service's operators' commands, as a program: `python -m tests.shared.toyops <app url> <owner url> <command> …`."""

import sys

from shared.ops.kit import Toolbox, run_ops
from stack.databases import Database
from tests.shared.toy import NO_MIGRATIONS, REGISTRY, Jars

MASTER = b"m" * 32


def toolbox(app_url: str, owner_url: str | None) -> Toolbox:
    """What the commands work with."""
    return Toolbox("toy", app_url, owner_url, MASTER, NO_MIGRATIONS, [Jars()], REGISTRY)


def program(database: Database, *arguments: str) -> list[str]:
    """The command line of the program."""
    return [sys.executable, "-m", "tests.shared.toyops", database.app, database.owner, *arguments]


if __name__ == "__main__":
    sys.exit(run_ops("toy", lambda: toolbox(sys.argv[1], sys.argv[2]), argv=sys.argv[3:]))
