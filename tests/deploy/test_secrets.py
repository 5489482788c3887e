"""Secrets: strong, made once, never shown; weak or missing ones stop the start with a sentence; rotating them loses no request."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import asyncpg
import httpx2
import pytest

from tests.deploy.deployment import LONG_RUNNING, Deployment
from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check
from tests.people import Developer

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


def test_a_second_start_makes_no_secret(deployment: Deployment) -> None:
    before = deployment.secrets
    assert ", 0 of them made now." in deployment.compose("run", "--rm", "--no-deps", "init").stdout
    assert deployment.secrets == before


def test_all_secrets_differ_and_are_strong(deployment: Deployment) -> None:
    words = {name: word for name, word in deployment.secrets.items() if name not in {"identity.signing_key", "pgpass", "complete"}}
    assert len(words) > 25
    assert len(set(words.values())) == len(words)
    assert all(len(word) >= 43 for word in words.values())


@pytest.mark.parametrize(
    ("name", "text", "needs"),
    [
        ("postgres.keys_app", "hunter2", "24 to 200 random letters"),
        ("kafka.metrics", "a" * 40, "24 to 200 random letters"),
        ("keys.master_key", "aGVsbG8=", "base64 of 32 random bytes"),
        ("redis.identity", "", "24 to 200 random letters"),
    ],
)
def test_a_weak_secret_stops_the_start_with_a_sentence(deployment: Deployment, tmp_path: Path, name: str, text: str, needs: str) -> None:
    (tmp_path / name).write_text(text)
    done = deployment.compose("run", "--rm", "--no-deps", "init", check=False, told={"LATCHKEY_GIVEN": str(tmp_path)})
    assert done.returncode == 1
    assert f"✗ The secret {name} is too weak or malformed: it must be {needs}" in done.stderr
    assert not text or text not in done.stdout + done.stderr


def test_a_lost_secret_is_not_made_anew(deployment: Deployment) -> None:
    """A new master key would not open what the old one sealed."""
    remove = "import os; os.rename('/secrets/admin/keys.master_key', '/secrets/admin/away')"
    back = "import os; os.rename('/secrets/admin/away', '/secrets/admin/keys.master_key')"
    as_init = ("run", "--rm", "--no-deps", "--entrypoint", "python", "init", "-c")
    deployment.compose(*as_init, remove)
    try:
        done = deployment.compose("run", "--rm", "--no-deps", "init", check=False)
    finally:
        deployment.compose(*as_init, back)
    assert done.returncode == 1
    assert "The secret keys.master_key was made before and is gone" in done.stderr


def test_a_process_without_its_secret_says_so_and_ends(deployment: Deployment) -> None:
    done = deployment.compose(
        "run", "--rm", "--no-deps", "-e", "KEYS_MASTER_KEY_FILE=/secrets/registry/master_key", "keys-main", check=False
    )
    assert done.returncode == 1
    assert "KEYS_MASTER_KEY_FILE names a file that cannot be read (Permission denied)." in done.stderr


async def test_no_secret_is_in_a_log_or_shown_by_the_engine(deployment: Deployment, ledger: Ledger) -> None:
    kept = {name: word for name, word in deployment.secrets.items() if name not in {"pgpass", "complete"}}
    words = [part for word in kept.values() for part in word.split(":") if len(part) >= 32]  # the id of a client is no secret
    shown = deployment.compose("logs", "--no-color").stdout
    shown += "".join(repr(deployment.inspect(name)) for name in (*LONG_RUNNING, "init", "databases", "topics"))
    assert len(shown) > 10_000
    assert [word for word in [*words, ledger.secret, ledger.developer.password] if word in shown] == []


async def test_rotating_passwords_of_the_database_loses_no_request(deployment: Deployment, ledger: Ledger) -> None:
    old = deployment.secrets["postgres.metrics_app"]

    async def rotate() -> None:
        said = await asyncio.to_thread(deployment.compose, "run", "--rm", "rotate", "postgres")
        assert "metrics_app has another password." in said.stdout
        await asyncio.to_thread(_end_all_connections, deployment)

    await _without_a_refusal(ledger, rotate)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(deployment.postgres("metrics_app", old, "metrics"), timeout=60)
    await check(deployment, ledger)


async def test_rotating_passwords_of_kafka_loses_no_request(deployment: Deployment, ledger: Ledger) -> None:
    """A worker that is started afterwards gets in with the new password alone; what was written meanwhile reaches Kafka through it."""

    async def rotate() -> None:
        said = await asyncio.to_thread(deployment.compose, "run", "--rm", "rotate", "kafka")
        assert "metrics has another password." in said.stdout
        await asyncio.to_thread(deployment.compose, "restart", "metrics-worker", "registry-worker")

    await _without_a_refusal(ledger, rotate)
    await check(deployment, ledger)


async def test_rotating_the_signing_key_signs_nobody_out(deployment: Deployment, http: httpx2.AsyncClient, ledger: Ledger) -> None:
    newcomer = Developer(deployment, http)
    await newcomer.register()

    async def rotate() -> None:
        said = await asyncio.to_thread(deployment.compose, "run", "--rm", "rotate", "signing-key")
        assert "signed with key" in said.stdout
        await asyncio.to_thread(deployment.compose, "restart", "identity-main", "identity-worker")
        assert await _status(newcomer.sign_in) == 201
        for service, path in (("registry", "/v1/apps"), ("identity", "/v1/account")):
            assert await _status(partial(newcomer.call, "GET", service, path)) == 200, service

    await _without_a_refusal(ledger, rotate)


def _end_all_connections(deployment: Deployment) -> None:
    """As a restart of the database would; whoever comes back needs the new password."""
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'metrics_read'"
    deployment.compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-c", end)


async def _status(call: Callable[[], Awaitable[httpx2.Response]]) -> int:
    """The answer's status; asked again while a busy machine says 503, which changes nothing and is no word about who asks."""
    for _ in range(60):
        status = (await call()).status_code
        if status != 503:
            return status
        await asyncio.sleep(1)
    return 503


async def _without_a_refusal(ledger: Ledger, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work under load, every attempt of which is acknowledged.

    A machine that is busy with other things refuses by itself. So the work waits until nothing is refused without it, and has three goes;
    a refusal that is the work's own comes in each of them.
    """
    for goes_left in (2, 1, 0):
        for _ in range(30):
            if {*await _outcomes(ledger, _nothing)} == {"ok"}:
                break
        found = await _outcomes(ledger, work)
        if {*found} == {"ok"}:
            return
        assert goes_left, found


async def _outcomes(ledger: Ledger, work: Callable[[], Awaitable[None]]) -> Counter[str]:
    before = len(ledger.told)
    async with under_load(ledger, writers=2):
        await work()
        await asyncio.sleep(3)
    found = Counter[str](list(ledger.told.values())[before:])
    assert sum(found.values()) > 5
    return found


async def _nothing() -> None:
    """The load alone."""


def test_what_makes_the_secrets_has_no_network(deployment: Deployment) -> None:
    found = deployment.inspect("init")
    assert (found["HostConfig"]["NetworkMode"], found["HostConfig"]["ReadonlyRootfs"], found["State"]["ExitCode"]) == ("none", True, 0)
