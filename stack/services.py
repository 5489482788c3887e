"""The eight processes of the four services, `main` and `worker` of each, and the commands that prepare them."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stack.blocking import run
from stack.credentials import credential, password
from stack.databases import Database, make_database, note, write_note
from stack.endpoints import PartEndpoints
from stack.environment import owner_environment, service_environment
from stack.layout import ROOT, Layout, read_json, write_json
from stack.ports import HEALTH, service_ports
from stack.processes import Command
from stack.serving import OwnProcess
from stack.trouble import Trouble


class Service:
    """One service of a stack: its database and its environment."""

    def __init__(self, layout: Layout, name: str, parts: PartEndpoints) -> None:
        self.name = name
        self._layout, self._parts = layout, parts

    def prepare(self) -> None:
        """Make the database and its roles, and bring the tables up to date. Raises Trouble when a migration fails.

        The database remembers which code it was migrated by; for the same code nothing is left to do, which saves seconds at each start.
        """
        superuser, code = self._parts.postgres_superuser, self._code()
        run(make_database(superuser, self.name, self._password))
        if run(note(superuser, self.name)) != code:
            self.operate("migrate")
            run(write_note(superuser, self.name, code))

    def operate(self, *arguments: str) -> str:
        """Run one of the service's operator's commands to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", f"services.{self.name}.ops", *arguments],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env=self.environment(owner=True),
        )
        if done.returncode != 0:
            words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
            raise Trouble(f"`python -m services.{self.name}.ops {' '.join(arguments)}` failed:\n{words}")
        return done.stdout

    def environment(self, *, owner: bool = False) -> dict[str, str]:
        """Return the whole environment of its processes; with the owner's address for operator's commands."""
        told = service_environment(
            self.name,
            database=self.database,
            parts=self._parts,
            master_key=credential(self._layout, f"{self.name}.master_key"),
            ports=service_ports(),
            client=read_json(_client_file(self._layout)) or {},
        )
        return {**os.environ, "PYTHONUNBUFFERED": "1", **told, **(owner_environment(self.name, self.database) if owner else {})}

    def _code(self) -> str:
        """Return a digest of everything that a migration could depend on: the service's code, ours, and the locked versions."""
        digest = hashlib.sha256((ROOT / "uv.lock").read_bytes())
        for folder in ("shared", "client/latchkey", f"services/{self.name}"):
            for file in sorted((ROOT / folder).rglob("*")):
                if file.suffix in {".py", ".sql"}:
                    digest.update(f"\n{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
        return digest.hexdigest()

    @property
    def database(self) -> Database:
        """Where its database is, by role."""
        return Database.at(self._parts.postgres_superuser, self.name, self._password)

    @property
    def _password(self) -> str:
        return password(self._layout, f"{self.name}.database")


class ServiceProcess(OwnProcess):
    """One of the two processes of a service."""

    def __init__(self, layout: Layout, service: Service, role: str) -> None:
        self.name = f"{service.name}-{role}"
        super().__init__(layout, service_ports()[service.name] + HEALTH[role])
        self._service, self._role = service, role

    @property
    def service(self) -> str:
        """The name of the service it belongs to."""
        return self._service.name

    def command(self) -> Command:
        argv = (sys.executable, "-m", f"services.{self._service.name}.{self._role}")
        return Command(argv, environment=self._service.environment(), directory=ROOT)


SCOPES = ("keys:verify", "feed:identity", "feed:registry", "feed:keys", "feed:metrics")


def service_client(layout: Layout, identity: Service) -> dict[str, Any]:
    """Return the client with which programs on this machine get service tokens, the services among them; it is made once."""
    kept: dict[str, Any] | None = read_json(_client_file(layout))
    if kept is None:
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        made = json.loads(identity.operate("service-client", "add", "local", *scopes, "--json"))
        kept = {"id": made["id"], "secret": made["secret"]}
        write_json(_client_file(layout), kept)
    return kept


def _client_file(layout: Layout) -> Path:
    return layout.directory / "service-client.json"
