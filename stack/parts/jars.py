"""The jars of Apache Kafka, brought by Maven once per user and kept for every clone and every test run."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from stack.trouble import Trouble, disk_full_is_trouble

VERSION = "4.3.0"
_POM = Path(__file__).with_name("pom.xml")


def jars() -> Path:
    """Return the folder of the jars; the first call on a machine downloads them (54 MB). Callers at the same time share one download."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latchkey"
    folder = cache / f"kafka-{VERSION}"
    if folder.exists():
        return folder
    with disk_full_is_trouble(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "kafka.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                _download(cache, folder)
    return folder


def _download(cache: Path, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Trouble("Maven is missing, and Kafka is fetched with it: install it (Debian, Ubuntu: apt-get install maven).")
    fresh = Path(tempfile.mkdtemp(prefix="kafka-", dir=cache))
    try:
        fetched = subprocess.run(
            [
                *(maven, "--batch-mode", "--quiet", "--file", str(_POM), f"-Dkafka.version={VERSION}"),
                *("dependency:copy-dependencies", f"-DoutputDirectory={fresh}"),
            ],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if fetched.returncode != 0:
            words = "\n".join(fetched.stdout.splitlines()[:6])
            raise Trouble(f"Maven could not fetch Kafka {VERSION}; is the network there, and space on the disk of {cache}?\n{words}")
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
