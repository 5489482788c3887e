"""Named crash points: the place where a test kills the process, and nothing at all unless `FAILPOINT` names it."""

import os
from typing import Final

FAILPOINTS: Final = frozenset(
    {
        "append.before_commit",
        "append.inside_commit",
        "append.after_commit",
        "relay.after_read",
        "relay.after_produce",
        "relay.before_cursor",
        "consumer.before_transaction",
        "consumer.in_transaction",
        "consumer.after_transaction",
        "rebuild.at_switch",
    }
)
"""Every crash point of the product. A test enumerates them, so a new one without a test fails."""

_ARMED: Final = os.environ.get("FAILPOINT")


def failpoint(name: str) -> None:
    """End the process at once with status 137, as `kill -9` would, when the environment's `FAILPOINT` is `name`; else do nothing."""
    if name == _ARMED:
        os._exit(137)
