"""A deployment by docker-compose as tests see it: what `docker compose` does, the way in through the proxy, and ways in to the stores."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latchkey.access import KafkaAccess

from stack.databases import Database
from stack.layout import ROOT
from stack.ports import SERVICES, free_ports
from stack.services import SCOPES

PROJECT = os.environ.get("LATCHKEY_TEST_PROJECT", "latchkey-deploy")
"""What the names of all projects of this run begin with, so that somebody else can clear away after it."""
PROCESSES = tuple(f"{service}-{role}" for service in SERVICES for role in ("main", "worker"))
STORES = ("postgres", "kafka", "redis")
LONG_RUNNING = (*STORES, *PROCESSES, "portal", "proxy")
_READ_ALL = (
    "import json, pathlib; print(json.dumps({f.name: f.read_text() for f in pathlib.Path('/secrets/admin').iterdir() if f.is_file()}))"
)


@dataclass(frozen=True)
class Stores:
    """Where the stores are for a program on this machine, and the folder in which mails arrive."""

    bootstrap: KafkaAccess
    mail_directory: Path


@dataclass(frozen=True)
class Operated:
    """One service of the deployment as the ledger's checker looks into it."""

    database: Database
    told: Mapping[str, str]

    def environment(self) -> Mapping[str, str]:
        """What its processes are told, as far as the checker needs it."""
        return self.told


def left_behind(project: str) -> list[str]:
    """Containers, volumes and networks of a project."""
    lists = (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q"))
    label = f"label=com.docker.compose.project={project}"
    found = [subprocess.run(["docker", *words, "--filter", label], check=True, capture_output=True, text=True).stdout for words in lists]
    return [line for text in found for line in text.split()]


class Deployment:
    """One project of docker-compose. Names, ports and folders of its own, so that it stands beside any other."""

    def __init__(self, project: str, folder: Path, told: Mapping[str, str] | None = None, clone: Path = ROOT) -> None:
        """A project of this clone, or of another one, which is told these variables."""
        self.project, self._clone = project, clone
        self.overlays: tuple[str, ...] = ()
        kept = folder / "ports.json"
        if not kept.exists():
            kept.write_text(json.dumps(free_ports(4)), "utf-8")
        self.port, *stores = json.loads(kept.read_text("utf-8"))
        self.published = dict(zip(("postgres", "redis", "kafka"), stores, strict=True))
        mails = folder / "mail"
        mails.mkdir(exist_ok=True)
        mails.chmod(0o777)  # the catcher runs as a user that this machine does not know
        self._environment = {
            **{f"TEST_{store.upper()}_PORT": str(port) for store, port in self.published.items()},
            "LATCHKEY_PORT": str(self.port), "TEST_MAIL": str(mails), "COMPOSE_PROFILES": "dev",
            "VERIFIER_BOUND_MS": "30000",  # two cores that also build and test: what is judged here is not how quick they are
            **(told or {}),
        }  # fmt: skip

    def compose(self, *words: str, check: bool = True, told: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run `docker compose …` and return what it printed; its failure is the test's unless `check` is false."""
        command, given = self._command(*words), {**os.environ, **self._environment, **(told or {})}
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self._clone, env=given, stdin=subprocess.DEVNULL)
        said = f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        assert not check or done.returncode == 0, said + self._last_words(words)
        return done

    def _last_words(self, words: tuple[str, ...]) -> str:
        """What the containers said that were to come up."""
        return self.compose("logs", "--no-color", "--tail", "12", check=False).stdout[-12_000:] if "up" in words else ""

    def streamed(self, *words: str, given: bytes = b"") -> bytes:
        """The same, with bytes on both ends."""
        told = {**os.environ, **self._environment}
        return subprocess.run(self._command(*words), check=True, capture_output=True, cwd=self._clone, env=told, input=given).stdout

    def _command(self, *words: str) -> list[str]:
        files = [word for name in ("docker-compose.yml", "tests/deploy/ports.yml", *self.overlays) for word in ("-f", name)]
        return ["docker", "compose", "-p", self.project, *files, *words]

    def build(self) -> None:
        """Its images, as `docker compose build` does, which asks first what version its builder is of."""
        command, told = ["docker", "buildx", "bake", f"--allow=fs.read={self._clone}", "-f", "docker-compose.yml"], self._environment
        built = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self._clone, env={**os.environ, **told})
        assert built.returncode == 0, built.stderr[-4000:]

    def up(self, *names: str) -> None:
        """Everything serves when this returns; or these containers alone are started again, without the one-shots before them."""
        alone = ("--no-deps", *names) if names else ()
        self.compose("up", "--wait", "--wait-timeout", "600", *alone)

    def down(self) -> None:
        """Nothing is left when this returns."""
        with_volumes = {"deploy/backup.yml", "deploy/observability.yml"} - {*self.overlays}  # which go too
        files = [word for name in sorted(with_volumes) for word in ("-f", name)]
        self.compose(*files, "--profile", "*", "down", "-v", "--remove-orphans", "-t", "10")

    @contextmanager
    def overlaid(self, *names: str) -> Iterator[None]:
        """With these overlays, up and healthy; without them again afterwards."""
        self.overlays = tuple(f"deploy/{name}" for name in names)
        try:
            self.up()
            yield
        finally:
            self.overlays = ()
            self.compose("up", "--wait", "--wait-timeout", "600", "--remove-orphans")

    def forget(self) -> None:
        """What was made at a Kafka that is gone is made again."""
        vars(self).pop("_reader", None)

    def ops(self, service: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an operator's command."""
        return self.compose("run", "--rm", "--no-deps", f"{service}-ops", *words, check=check)

    def inspect(self, name: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        number = self.compose("ps", "-aq", name).stdout.split()[0]
        found: list[dict[str, Any]] = json.loads(subprocess.run(["docker", "inspect", number], check=True, capture_output=True).stdout)
        return found[0]

    def kill(self, name: str) -> None:
        """SIGKILL to everything in the container."""
        self.compose("kill", "-s", "KILL", name)

    @property
    def origin(self) -> str:
        """Where a browser goes."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def at(self) -> dict[str, str]:
        """Base addresses of the services, behind the proxy."""
        return {service: f"{self.origin}/{service}" for service in SERVICES}

    @cached_property
    def machine(self) -> dict[str, Any]:
        """A service client, made the documented way."""
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        made: dict[str, Any] = json.loads(self.ops("identity", "service-client", "add", "tests", *scopes, "--json").stdout)
        return made

    @property
    def secrets(self) -> dict[str, str]:
        """Every secret by name, as it is now."""
        done = self.compose("run", "--rm", "--no-deps", "--entrypoint", "python", "databases", "-c", _READ_ALL)
        read: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
        return read

    @property
    def stack(self) -> Stores:
        """Ways in for the checker, as the user of metrics and a consumer of everything."""
        return Stores(self.kafka("tests", self._reader), Path(self._environment["TEST_MAIL"]))

    def kafka(self, user: str, password: str) -> KafkaAccess:
        """Kafka, as this user."""
        return KafkaAccess(f"127.0.0.1:{self.published['kafka']}", user, password)

    def postgres(self, role: str, password: str, database: str) -> str:
        """PostgreSQL, as this role."""
        return f"postgres://{role}:{password}@127.0.0.1:{self.published['postgres']}/{database}"

    def redis(self, user: str, password: str) -> str:
        """Redis, as this user."""
        return f"redis://{user}:{password}@127.0.0.1:{self.published['redis']}/0"

    @cached_property
    def _reader(self) -> str:
        told = self.compose("run", "--rm", "--no-deps", "consumer", "tests").stdout
        return next(line.split()[1] for line in told.splitlines() if line.startswith("password"))

    @property
    def services(self) -> dict[str, Operated]:
        """What the checker looks into."""
        words = self.secrets
        return {
            name: Operated(
                Database(
                    name, *(self.postgres(f"{name}_{role}", words[f"postgres.{name}_{role}"], name) for role in ("owner", "app", "read"))
                ),
                {f"{name.upper()}_MASTER_KEY": words[f"{name}.master_key"]},
            )
            for name in SERVICES
        }


@contextmanager
def another(
    deployment: Deployment, folder: Path, *overlays: str, told: Mapping[str, str] | None = None, clone: Path = ROOT
) -> Iterator[Deployment]:
    """One more, named after its folder and not up yet; nothing of it is left afterwards."""
    folder.mkdir(exist_ok=True)
    made = Deployment(f"{deployment.project}-{folder.name}", folder, told, clone)
    made.overlays = overlays
    try:
        yield made
    finally:
        made.down()


@contextmanager
def alone(deployment: Deployment) -> Iterator[None]:
    """The deployment rests meanwhile: a machine need not carry two."""
    deployment.compose("stop", "-t", "10")
    try:
        yield
    finally:
        deployment.up()


@contextmanager
def deployed() -> Iterator[Deployment]:
    """A deployment that is up; nothing of it is left afterwards. One in the folder LATCHKEY_TEST_DEPLOYMENT_DIR is left running."""
    shared = os.environ.get("LATCHKEY_TEST_DEPLOYMENT_DIR")
    folder = Path(shared or tempfile.mkdtemp(prefix=f"{PROJECT}-"))
    made = Deployment(folder.name, folder)
    try:
        made.build()
        made.up()
        yield made
    finally:
        if not shared:
            made.down()
            shutil.rmtree(folder, ignore_errors=True)
