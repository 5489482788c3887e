"""Keycloak beside identity: people who sign in with a password, and machines that ask for a token, over HTTP."""

import json
import tempfile
import time
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import httpx2
import psutil

from benchmarks.load import Request, load, server_core
from benchmarks.measure import Figure, figure
from benchmarks.serving import launched, product_with_keys, until_answers
from stack.databases import Database
from stack.parts.jars import brought
from stack.ports import HOST, free_ports
from stack.testing import RealStack

KEYCLOAK: Final = "26.7.3"
ROUNDS, SECONDS, WARM_SECONDS = 3, 4, 8
_PATIENCE: Final = 900.0  # seconds; its first start puts itself together for PostgreSQL
_PASSWORD: Final = "correct-horse-battery-staple"  # noqa: S105  # of a server that lives as long as this run
_JSON, _FORM = {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}
_USER: Final = {
    "username": "dev",
    "email": "dev@example.com",
    "firstName": "Dev",
    "lastName": "Eloper",
    "enabled": True,
    "emailVerified": True,
}
_REALM: Final = {
    "realm": "bench",
    "enabled": True,
    "users": [_USER | {"credentials": [{"type": "password", "value": _PASSWORD}]}],
    "clients": [
        {"clientId": "portal", "publicClient": True, "directAccessGrantsEnabled": True},
        {"clientId": "shop", "secret": _PASSWORD, "serviceAccountsEnabled": True},
    ],
}
_MANY: Final = {f"IDENTITY_ATTEMPTS_PER_{whose}": "1000000" for whose in ("IP", "ACCOUNT")}
"""One account signs in all the time, from one address: the counting goes on, its limit is far away."""


@dataclass(frozen=True)
class Served:
    """A server ready to be asked: how long that took, its process, and the two requests."""

    ready_seconds: float
    process: psutil.Process
    sign_in: Request
    grant: Request


@dataclass(frozen=True)
class Measured:
    """What a server did: sign-ins and grants a second, milliseconds of one sign-in alone, seconds to be ready, megabytes afterwards."""

    sign_ins: list[float]
    sign_in_ms: float
    grants: list[float]
    ready_seconds: float
    memory: float


async def run(stack: RealStack) -> list[Figure]:
    """One after the other, each alone on the server's core, with its rows in the same PostgreSQL."""
    async with _identity(stack) as served:
        ours = await _measured(served)
    async with _keycloak(stack.fresh_database("keycloak")) as served:
        theirs = await _measured(served)
    return [
        figure("sign-in", "with a password, 4 at once", "/s", ours.sign_ins, theirs.sign_ins, peer="Keycloak"),
        figure("sign-in", "one alone, p50", "ms", [ours.sign_in_ms], [theirs.sign_in_ms], peer="Keycloak"),
        figure("grant", "of a machine's token, 32 at once", "/s", ours.grants, theirs.grants, peer="Keycloak"),
        figure("start", "ready, second time", "s", [ours.ready_seconds], [theirs.ready_seconds], peer="Keycloak"),
        figure("memory", "after the load", "MB", [ours.memory], [theirs.memory], peer="Keycloak"),
    ]


async def _measured(served: Served) -> Measured:
    rates = []
    for request, connections in ((served.sign_in, 4), (served.grant, 32)):
        await load(request, served.process, WARM_SECONDS, connections)
        rates.append([(await load(request, served.process, SECONDS, connections)).rate for _ in range(ROUNDS)])
    alone = await load(served.sign_in, served.process, SECONDS, connections=1)
    return Measured(rates[0], alone.p50_ms, rates[1], served.ready_seconds, served.process.memory_info().rss / 1e6)


@asynccontextmanager
async def _identity(stack: RealStack) -> AsyncIterator[Served]:
    async with product_with_keys(stack) as running:
        product, at = running.product, running.product.at["identity"]
        product.processes["identity-main"].stop()
        began = time.perf_counter()
        product.start("identity-main", **_MANY)
        await until_answers(f"{at}/.well-known/jwks.json", seconds=_PATIENCE)
        ready = time.perf_counter() - began
        known = json.dumps({"email": running.developer.email, "password": running.developer.password})
        basic = b64encode(f"{product.machine['id']}:{product.machine['secret']}".encode()).decode()
        yield Served(
            ready,
            running.server("identity-main"),
            Request(f"{at}/v1/sessions", "POST", _JSON, known),
            Request(f"{at}/v1/service-tokens", "POST", {"Authorization": f"Basic {basic}"}),
        )


@asynccontextmanager
async def _keycloak(database: Database) -> AsyncIterator[Served]:
    """Started once, so that its tables are there and it is put together for them, and then once more, which is measured."""
    port, management = free_ports(2)
    at, url = urlsplit(database.owner), f"http://{HOST}:{port}"
    told = {
        "DB": "postgres", "DB_URL": f"jdbc:postgresql://{HOST}:{at.port}/{database.name}", "DB_USERNAME": f"{at.username}",
        "DB_PASSWORD": f"{at.password}", "CACHE": "local", "HTTP_ENABLED": "true", "HTTP_HOST": HOST, "HTTP_PORT": str(port),
        "HTTP_MANAGEMENT_PORT": str(management), "HOSTNAME_STRICT": "false", "BOOTSTRAP_ADMIN_USERNAME": "admin",
        "BOOTSTRAP_ADMIN_PASSWORD": _PASSWORD,
    }  # fmt: skip
    environment = {f"KC_{name}": value for name, value in told.items()}
    with _started(environment) as process:
        await until_answers(url, process, _PATIENCE)
    began = time.perf_counter()
    with _started(environment, "--optimized") as process:
        await until_answers(url, process, _PATIENCE)
        ready = time.perf_counter() - began
        await _make_realm(url)
        [java] = process.children()
        token = f"{url}/realms/bench/protocol/openid-connect/token"
        person = {"grant_type": "password", "client_id": "portal", "username": "dev", "password": _PASSWORD}
        machine = {"grant_type": "client_credentials", "client_id": "shop", "client_secret": _PASSWORD}
        forms = [Request(token, "POST", _FORM, urlencode(form)) for form in (person, machine)]
        yield Served(ready, server_core(java.pid), *forms)


@contextmanager
def _started(environment: dict[str, str], *arguments: str) -> Iterator[psutil.Process]:
    folder = brought(Path(__file__).with_suffix(".xml"), keycloak=KEYCLOAK)
    home = folder / f"keycloak-{KEYCLOAK}"
    if not home.exists():
        with tempfile.TemporaryDirectory(dir=folder) as fresh, zipfile.ZipFile(folder / f"keycloak-quarkus-dist-{KEYCLOAK}.zip") as packed:
            packed.extractall(fresh)
            (Path(fresh) / home.name).rename(home)
    with launched("bash", str(home / "bin" / "kc.sh"), "start", *arguments, environment=environment) as process:
        yield process


async def _make_realm(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url, timeout=60) as http:
        admin = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": _PASSWORD}
        token = (await http.post("/realms/master/protocol/openid-connect/token", data=admin)).raise_for_status().json()["access_token"]
        (await http.post("/admin/realms", json=_REALM, headers={"Authorization": f"Bearer {token}"})).raise_for_status()
