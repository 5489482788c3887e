"""The data volumes, handed to the users that write them, because no container that keeps data starts as root."""

import os
from pathlib import Path

from deploy.who import KAFKA, POSTGRES, PROXY
from stack.trouble import Trouble

_WRITERS = {"postgres": POSTGRES, "kafka": KAFKA, "proxy": PROXY, "backup": POSTGRES}


def give_volumes(secrets: Path, data: Path) -> None:
    """Own each volume's top folder by its writer. Raises Trouble where data is found whose secrets are gone."""
    if not (secrets / "admin" / "complete").exists() and any((data / "postgres").glob("*/*/PG_VERSION")):
        raise Trouble("There is a database and no secret: bring the volume of the secrets back from its backup, before a new one is made.")
    for name, uid in _WRITERS.items():
        folder = data / name
        if folder.exists() and folder.stat().st_uid != uid:
            os.chown(folder, uid, uid)
