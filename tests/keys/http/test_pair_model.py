"""The model of one ring against the real API: a few steps, after each of which service and pure aggregate agree on every key."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from latchkey.judging import judge
from latchkey.keyformat import Kind

from services.keys.domain import decisions
from services.keys.domain.events import KeyringEvent
from services.keys.domain.keyring import Keyring, fold
from services.keys.publications import ring_record
from services.keys.settings import Settings
from shared.errors import Refusal
from tests.keys.builders import NOW, PLACE, new_pair
from tests.keys.conftest import Running, key_set, serving

pytestmark = pytest.mark.stack
Decision = Callable[[Keyring], list[KeyringEvent]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["generate", "regenerate", "overlap", "disable", "enable", "revoke", "rotation/finish", "rotation/rollback"]),
        st.integers(0, 5),
    ),
    min_size=4,
    max_size=9,
)


class Both:
    """The same steps on the real service and on the pure aggregate, which calls the n-th pair n."""

    def __init__(self, keys: Running) -> None:
        self._keys, self._ring = keys, Keyring("kr_1")
        self._made: list[dict[str, Any]] = []

    async def step(self, what: str, which: int) -> None:
        number = which % len(self._made) if self._made else None
        if what == "generate" or number is None:
            answer = await self._keys.http.post(self._keys.path, json={"environment": "test"}, headers=self._keys.me)
            expected = self._decided(lambda ring: decisions.generate(ring, place=PLACE, pair=self._next(), now=NOW))
        else:
            answer = await self._command(what, self._made[number])
            expected = self._decided(self._decision(what, str(number)))
        assert (answer.json().get("code") if answer.status_code >= 400 else None) == expected
        if answer.status_code == 201:
            self._made.append(answer.json())

    async def agree(self) -> None:
        records = {record.pair_id: record for record in ring_record(self._ring, 1).pairs}
        for number, made in enumerate(self._made):
            expected = judge(records[str(number)], Kind.SECRET, NOW, origin=None, ip=None, scope=None)
            assert [await self._keys.code(made[name]) for name in ("public_key", "secret_key")] == [expected, expected]

    async def _command(self, what: str, pair: dict[str, Any]) -> httpx.Response:
        if what in {"regenerate", "overlap"}:
            seen = await self._keys.http.get(f"{self._keys.path}/{pair['pair_id']}", headers=self._keys.me)
            body = {"overlap_seconds": 600 if what == "overlap" else 0}
            return await self._keys.post(pair, "regenerate", body, match=seen.headers["etag"])
        return await self._keys.post(pair, what)

    def _decision(self, what: str, name: str) -> Decision:
        match what:
            case "regenerate" | "overlap":
                seconds = 600 if what == "overlap" else 0
                return lambda ring: decisions.regenerate(ring, name, pair=self._next(), overlap_seconds=seconds, now=NOW)
            case "disable":
                return lambda ring: decisions.disable(ring, name, now=NOW)
            case "enable":
                return lambda ring: decisions.enable(ring, name, now=NOW)
            case "rotation/finish":
                return lambda ring: decisions.finish_rotation(ring, name)
            case "rotation/rollback":
                return lambda ring: decisions.roll_back(ring, name, now=NOW)
            case _:
                return lambda ring: decisions.revoke(ring, name, reason="leaked")

    def _decided(self, decision: Decision) -> str | None:
        try:
            self._ring = fold(self._ring, decision(self._ring))
        except Refusal as refusal:
            return refusal.code
        return None

    def _next(self) -> Any:
        return new_pair(str(len(self._made)))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_service_and_aggregate_agree_after_every_step(steps: list[tuple[str, int]], settings_without_identity: Settings) -> None:
    asyncio.run(_walk(steps, settings_without_identity))


async def _walk(steps: list[tuple[str, int]], without_identity: Settings) -> None:
    async with key_set() as identity_url, serving(without_identity.model_copy(update={"identity_url": identity_url})) as keys:
        both = Both(keys)
        for what, which in steps:
            await both.step(what, which)
            await both.agree()
