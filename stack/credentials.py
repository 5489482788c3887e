"""Passwords and keys that this machine makes up once and keeps in one file that only its owner can read."""

import base64
import fcntl
import secrets

from stack.layout import Layout, read_json, write_json


def credential(layout: Layout, name: str) -> str:
    """Return the secret of this name: 32 random bytes in base64, made up at the first request, the same ever after.

    Programs may ask at the same time: they wait for one another, so that both get the one that is kept.
    """
    with (layout.directory / "secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = read_json(layout.secrets) or {}
        if name not in kept:
            kept[name] = base64.b64encode(secrets.token_bytes(32)).decode()
            write_json(layout.secrets, kept)
    return str(kept[name])


def password(layout: Layout, name: str) -> str:
    """Return a secret as above that can stand in a URL and in an SQL literal without quoting."""
    return credential(layout, name).translate(str.maketrans("+/", "-_", "="))
