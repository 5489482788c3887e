"""Each service stands alone: an environment with nothing but it and what it declares can import all its rooms."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
IMPORT_ALL = """
import importlib, pathlib, pkgutil, sys
name, absent = sys.argv[1], sys.argv[2:]
package = importlib.import_module(name)
assert "site-packages" in package.__path__[0], package.__path__
modules = [module.name for module in pkgutil.walk_packages(package.__path__, name + ".")]
for module in modules:
    importlib.import_module(module)
for other in absent:
    try:
        importlib.import_module(other)
    except ImportError:
        continue
    raise SystemExit(f"{other} is on the island of {name}")
print(len(modules))
"""
SERVICES = ("identity", "registry", "keys", "metrics")


def sql_files(package: Path) -> list[str]:
    return sorted(str(file.relative_to(package)) for file in package.rglob("*.sql"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installs_and_imports_alone(service: str, tmp_path: Path) -> None:
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv")}
    others = [f"services.{other}" for other in SERVICES if other != service]
    made = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("uv")), "sync", "--frozen", "--no-dev", "--no-editable", "--quiet"),
            *("--package", f"latchkey-{service}", "--python", sys.executable),
            # uv keeps the wheel it once built of a member, whatever has changed in its code since.
            *(word for member in ("", "-shared", f"-{service}") for word in ("--reinstall-package", f"latchkey{member}")),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert made.returncode == 0, made.stderr
    program = [str(tmp_path / "venv/bin/python"), "-I", "-W", "error", "-c", IMPORT_ALL, f"services.{service}", *others, "stack", "pytest"]
    imported = subprocess.run(program, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
    (installed,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    for package in ("shared", f"services/{service}"):
        # A wheel without its migrations would import well and fail at the first start.
        assert sql_files(installed / package) == sql_files(ROOT / package)
    assert int(imported.stdout) >= len(("main", "worker", "ops", "wiring", "settings", "commands", "queries", "domain", "api"))


def test_the_client_installs_and_imports_alone(tmp_path: Path) -> None:
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv")}
    uv = str(Path(sys.executable).with_name("uv"))
    sync = [
        uv,
        "sync",
        "--frozen",
        "--no-dev",
        "--no-editable",
        "--quiet",
        "--package",
        "latchkey",
        "--extra",
        "feed",
        "--reinstall-package",
        "latchkey",
    ]
    subprocess.run([*sync, "--python", sys.executable], check=True, capture_output=True, cwd=ROOT, env=environment)
    program = [str(tmp_path / "venv/bin/python"), "-I", "-c", IMPORT_ALL, "latchkey", "shared", "services", "fastapi"]
    imported = subprocess.run(program, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr


STRANGER = """
from collections.abc import Sequence

import asyncpg
from latchkey.admission import admit, status_of
from latchkey.consumer import Consumer, Policy
from latchkey.envelope import Envelope
from latchkey.events.registry import AppRegistered
from latchkey.topics import REGISTRY_APP_EVENTS
from latchkey.verifier import LocalVerifier


class Names:
    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        for event in events:
            if isinstance(event.data, AppRegistered):
                await db.execute("INSERT INTO names VALUES ($1)", event.data.name)


async def run(pool: asyncpg.Pool, verifier: LocalVerifier) -> int:
    consumer = Consumer("kafka:9092", pool, Names(), [REGISTRY_APP_EVENTS], "names", name="names", policy=Policy(max_records=10))
    await consumer.run()
    return status_of(await admit(verifier, "Bearer lk_sk_…", scope="pay")) + consumer.status.lag_records
"""


def test_the_clients_wheel_installs_in_any_environment_and_brings_its_types(tmp_path: Path) -> None:
    """What a stranger does: no workspace, no lock file, `pip install` of the wheel, mypy over code of their own."""
    uv, python = str(Path(sys.executable).with_name("uv")), str(tmp_path / "venv/bin/python")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)

    for command in (
        (uv, "build", "--quiet", "--wheel", str(ROOT / "client"), "--out-dir", str(tmp_path / "dist")),
        (uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")),
    ):
        assert (made := run(*command)).returncode == 0, made.stderr
    [wheel] = (tmp_path / "dist").glob("latchkey-*.whl")
    installed = run(uv, "pip", "install", "--quiet", "--python", python, f"{wheel}[feed]", "asyncpg-stubs")
    assert installed.returncode == 0, installed.stderr
    imported = run(python, "-I", "-W", "error", "-c", IMPORT_ALL, "latchkey", "shared", "services", "fastapi", "pytest")
    assert imported.returncode == 0, imported.stderr
    code = tmp_path / "stranger.py"
    mypy = (str(Path(sys.executable).with_name("mypy")), "--strict", "--python-executable", python, "--cache-dir", str(tmp_path), str(code))
    code.write_text(STRANGER, "utf-8")
    assert (checked := run(*mypy)).returncode == 0, checked.stdout
    code.write_text(STRANGER.replace("event.data.name", "event.data.nickname").replace("[REGISTRY_APP_EVENTS]", "7"), "utf-8")
    assert run(*mypy).stdout.count(": error: ") == 2
