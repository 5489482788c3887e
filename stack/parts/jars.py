"""What Maven brings, the jars of Apache Kafka before all: once per user, kept for every clone and every test run."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stack.trouble import Trouble, disk_full_is_trouble

VERSION = "4.3.0"
_POM = Path(__file__).with_name("pom.xml")


def jars() -> Path:
    """Return the folder of Kafka's jars, 54 MB."""
    return brought(_POM, kafka=VERSION)


def brought(pom: Path, **versions: str) -> Path:
    """Return the folder of what a POM depends on in these versions; the first call on a machine downloads it, and others wait for that.

    Raises Trouble when Maven is missing or cannot fetch it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latchkey"
    folder = cache / "-".join(f"{name}-{version}" for name, version in versions.items())
    if folder.exists():
        return folder
    with disk_full_is_trouble(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{next(iter(versions))}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                _download(pom, versions, folder)
    return folder


def _download(pom: Path, versions: Mapping[str, str], folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Trouble(f"Maven is missing, and {folder.name} is fetched with it: install it (Debian, Ubuntu: apt-get install maven).")
    fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        fetched = subprocess.run(
            [
                *(maven, "--batch-mode", "--quiet", "--file", str(pom)),
                *(f"-D{name}.version={version}" for name, version in versions.items()),
                *("dependency:copy-dependencies", f"-DoutputDirectory={fresh}"),
            ],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if fetched.returncode != 0:
            words = "\n".join(fetched.stdout.splitlines()[:6])
            raise Trouble(f"Maven could not fetch {folder.name}; is the network there, and space on the disk of {folder.parent}?\n{words}")
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
