"""Another team's service with a compose file of its own, joined to ours: it reads the public contract, and bills exactly once."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import pytest

from stack.layout import ROOT
from tests.deploy.deployment import Deployment, left_behind
from tests.people import Developer
from tests.shared.until import until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Billing:
    """Their project."""

    project: str
    told: dict[str, str]

    def compose(self, *words: str) -> str:
        """Run `docker compose …` in their folder, as they do."""
        command = ["docker", "compose", "-p", self.project, *words]
        folder, told = ROOT / "examples/billing", {**os.environ, **self.told}
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=told, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, statement: str) -> Sequence[str]:
        """What their database holds, a line a row."""
        shown = self.compose("exec", "-T", "billing-postgres", "psql", "-U", "postgres", "-d", "billing", "-Atc", statement)
        return shown.split()


@pytest.fixture
def billing(deployment: Deployment, tmp_path: Path) -> Iterator[Billing]:
    """Brought up as its README says, with a Kafka user made for it; nothing is left of it."""
    shown = deployment.compose("run", "--rm", "--no-deps", "consumer", "billing").stdout
    [password] = [line.split()[1] for line in shown.splitlines() if line.startswith("password")]
    (tmp_path / "kafka").write_text(password)
    (tmp_path / "database").write_text("a-password-of-their-own-0123456789")
    for place in (tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o755)  # the files are mounted, and their user is none of this machine's
    made = Billing(f"{deployment.project}-billing", {"BILLING_SECRETS": str(tmp_path), "LATCHKEY_NETWORK": f"{deployment.project}_stores"})
    bake = ["docker", "buildx", "bake", f"--allow=fs.read={ROOT}"]  # the context is the repository, which lies above their folder
    subprocess.run(bake, check=True, capture_output=True, cwd=ROOT / "examples/billing")
    try:
        made.compose("up", "--wait", "--wait-timeout", "300")
        yield made
    finally:
        made.compose("down", "-v", "-t", "10")
        assert left_behind(made.project) == []


async def test_an_app_and_its_rotations_are_billed_once_whatever_is_read_again(
    deployment: Deployment, http: httpx2.AsyncClient, billing: Billing
) -> None:
    developer = Developer(deployment, http)
    app, pair = await developer.everything(patience=60)
    await _rotate(developer, app["app_id"], pair["pair_id"])
    await until(partial(_billed, billing, app["app_id"], 1), 60)
    billing.compose("kill", "-s", "KILL", "billing")
    deployment.ops("keys", "relay", "rewind", "--to", "0")
    billing.compose("up", "--wait", "--wait-timeout", "300")
    developer = Developer(deployment, http)
    later, other = await developer.everything(patience=60)
    await _rotate(developer, later["app_id"], other["pair_id"])
    await until(partial(_billed, billing, later["app_id"], 1), 60)
    assert await _billed(billing, app["app_id"], 1)
    said = billing.compose("logs", "--no-color", "billing")
    assert f"AppRegistered {app['app_id']}" in said
    assert f"KeyRotated {later['app_id']} live" in said


async def _rotate(developer: Developer, app_id: str, pair_id: str) -> None:
    path = f"/v1/apps/{app_id}/keys/{pair_id}"
    etag = (await developer.call("GET", "keys", path)).headers["ETag"]
    answer = await developer.call("POST", "keys", f"{path}/regenerate", json={"overlap_seconds": 0}, headers={"If-Match": etag})
    assert answer.status_code == 201, answer.text


async def _billed(billing: Billing, app_id: str, rotations: int) -> bool:
    customers = billing.rows(f"SELECT count(*) FROM customers WHERE app_id = '{app_id}'")
    lines = billing.rows(f"SELECT count(*) FROM bill WHERE app_id = '{app_id}'")
    return (customers, lines) == (["1"], [str(rotations)])
