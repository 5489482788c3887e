"""Whom PostgreSQL runs as: it refuses to be root, so root lends it the account `nobody` and a place that account can reach."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.trouble import Trouble

ELSEWHERE = Path("/var/lib/latchkey")


@dataclass(frozen=True)
class Account:
    """A user of this machine, by numbers."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """Return the account to drop to, or None when we are not root and have nothing to drop."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam("nobody")
    except KeyError as wrong:
        raise Trouble("PostgreSQL refuses to run as root and there is no user `nobody` to lend it: start as an ordinary user.") from wrong
    return Account(found.pw_uid, found.pw_gid)


def may(account: Account | None, test: str, path: Path) -> bool:
    """Ask the kernel whether the account passes `test` (-x: run or enter, -r: read) on the path, every folder above it included."""
    if account is None:
        return True
    try:
        asked = subprocess.run(["/usr/bin/test", test, str(path)], check=False, user=account.uid, group=account.gid, extra_groups=[])
    except PermissionError as wrong:
        raise Trouble("PostgreSQL refuses to run as root, and this root may not change its uid: start as an ordinary user.") from wrong
    return asked.returncode == 0


def reachable(wanted: Path, account: Account | None) -> Path:
    """Return `wanted`, or a folder of the same meaning under /var/lib/latchkey when the account cannot come to it.

    A clone below a home that is closed to others (0700, as root's is) is the usual case.
    """
    if may(account, "-x", wanted.parent):
        return wanted
    ELSEWHERE.mkdir(mode=0o711, exist_ok=True)
    return ELSEWHERE / f"{wanted.name}-{hashlib.sha256(str(wanted).encode()).hexdigest()[:12]}"


def reachable_copy(root: Path, folders: Sequence[str], name: str, account: Account | None) -> Path:
    """Return a place with the same folders that the account can read: `root`, or a copy of this name under /var/lib/latchkey.

    Clones share the copy, so the name must tell the version.
    """
    if all(may(account, "-r", root / folder) and may(account, "-x", root / folder) for folder in folders):
        return root
    copy = ELSEWHERE / name
    if not copy.exists():
        ELSEWHERE.mkdir(mode=0o711, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=ELSEWHERE))
        for folder in folders:
            shutil.copytree(root / folder, fresh / folder, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", str(fresh)], check=True)
        try:
            fresh.rename(copy)
        except OSError:  # Another start was faster, with the same programs.
            shutil.rmtree(fresh)
    return copy
