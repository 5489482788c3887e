"""What Kafka no longer holds comes from the feeds: each service has a client of its own for exactly those that it listens to."""

import httpx2
import pytest
from latchkey.topics import IDENTITY_ACCOUNT_EVENTS, KEYS_KEYRING_EVENTS, REGISTRY_APP_EVENTS

from stack.ports import SERVICES
from tests.deploy.deployment import Deployment
from tests.faults.ledger import Ledger
from tests.people import transaction

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]
LISTENS_TO = {"registry": {"identity"}, "keys": {"identity", "registry"}, "metrics": {"identity", "registry", "keys"}}
VIEWS = (("keys", "foreign"), ("metrics", "apps"), ("metrics", "pairs"))
_FIRST_PAGES = """
import asyncio, importlib
from latchkey.topics import TOPICS
from shared.feeds import opened_feeds
service = "{service}"
settings = importlib.import_module(f"services.{service}.settings")
async def read():
    wanted = {topics}
    async with opened_feeds(settings.Settings.from_env(settings.PREFIX), [t.name for t in TOPICS]) as feeds:
        pages = {topic: await feeds[topic].page(after=0, limit=5) for topic in wanted}
    assert all(page.events for page in pages.values()), pages
asyncio.run(read())
"""
TOPIC = {"identity": IDENTITY_ACCOUNT_EVENTS, "registry": REGISTRY_APP_EVENTS, "keys": KEYS_KEYRING_EVENTS}


@pytest.mark.parametrize(("service", "view"), VIEWS)
async def test_a_foreign_view_is_rebuilt_from_the_feeds(deployment: Deployment, ledger: Ledger, service: str, view: str) -> None:
    """Once compared with what the consumer made of Kafka, and once after its rows were lost."""
    verified = deployment.ops(service, "rebuild", view, "--verify")
    assert "made anew from the feeds" in verified.stdout
    assert "equal to what they were" in verified.stdout
    lost = f"TRUNCATE {view if service == 'metrics' else 'apps'}"
    deployment.compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-d", service, "-c", lost)
    refused = deployment.ops(service, "rebuild", view, "--verify", check=False)
    assert (refused.returncode, "no such row" in refused.stdout) == (1, True), refused.stderr
    assert "made anew from the feeds" in deployment.ops(service, "rebuild", view).stdout
    answer = await ledger.developer.record(ledger.secret, transaction(1))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("service", sorted(LISTENS_TO))
def test_a_worker_reads_the_feeds_of_those_that_it_listens_to(deployment: Deployment, service: str) -> None:
    script = _FIRST_PAGES.replace("{service}", service).replace("{topics}", repr([TOPIC[other] for other in sorted(LISTENS_TO[service])]))
    deployment.compose("exec", "-T", f"{service}-worker", "python", "-c", script)


@pytest.mark.parametrize("service", sorted(LISTENS_TO))
async def test_a_client_for_feeds_reads_no_other_feed_and_judges_no_key(
    deployment: Deployment, http: httpx2.AsyncClient, service: str
) -> None:
    client_id, _, word = deployment.secrets[f"feed.{service}"].partition(":")
    answer = await http.post(f"{deployment.at['identity']}/v1/service-tokens", auth=(client_id, word))
    assert answer.json()["scope"].split() == sorted(f"feed:{other}" for other in LISTENS_TO[service])
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    for other in SERVICES:
        status = (await http.get(f"{deployment.at[other]}/v1/feed", params={"after": 0}, headers=bearer)).status_code
        assert status == (200 if other in LISTENS_TO[service] else 403), other
    judged = await http.post(f"{deployment.at['keys']}/v1/keys/verify", json={"key": "sk_test_x"}, headers=bearer)
    assert judged.status_code == 403


def test_other_clients_take_over_from_those_before(deployment: Deployment, ledger: Ledger) -> None:
    """The commands are those that the rotation prints."""
    before = deployment.secrets["feed.keys"]
    told = deployment.compose("run", "--rm", "rotate", "feeds").stdout
    assert deployment.secrets["feed.keys"] != before
    assert ledger.developer.email not in told
    lines = [line.removeprefix("Now: ").removeprefix("then ").removesuffix(", and then") for line in told.splitlines()]
    commands = [line.removeprefix("docker compose ").split() for line in lines if line.startswith("docker compose ")]
    assert len(commands) == 2 + len(LISTENS_TO)
    for words in commands:
        deployment.compose(*words)
    deployment.up()
    assert "made anew from the feeds" in deployment.ops("keys", "rebuild", "foreign").stdout
    assert _token_status(deployment, before) == 401


def _token_status(deployment: Deployment, client: str) -> int:
    client_id, _, word = client.partition(":")
    return httpx2.post(f"{deployment.at['identity']}/v1/service-tokens", auth=(client_id, word), timeout=30).status_code
