"""Lists with cursors, reads that wait for what was written elsewhere, answers that nobody keeps."""

import asyncio
import base64
import time

import httpx2 as httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.http.paging import Cursors
from shared.http.refusals import BadCursor
from tests.shared.http.toy_api import Things
from tests.tokens import person

pytestmark = pytest.mark.slow  # whole requests through the app

few = settings(max_examples=20, database=None)
CURSORS = Cursors(bytes(32))


async def test_pages_follow_one_another_to_the_end(api: httpx.AsyncClient) -> None:
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(3):
        answer = await api.get("/v1/numbers", params={"cursor": cursor} if cursor else {}, headers=person())
        seen += [item["number"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
    assert (seen, cursor) == ([1, 2, 3, 4, 5], None)


@pytest.mark.parametrize("change", ["account", "filter", "text", "length"])
async def test_a_cursor_is_good_for_nothing_else(api: httpx.AsyncClient, change: str) -> None:
    cursor = (await api.get("/v1/numbers", headers=person())).json()["next_cursor"]
    assert (await api.get("/v1/numbers", params={"cursor": cursor}, headers=person())).status_code == 200
    params = {"cursor": cursor[:-1] + "~" if change == "text" else cursor * (60 if change == "length" else 1)}
    if change == "filter":
        params["even"] = "true"
    answer = await api.get("/v1/numbers", params=params, headers=person("acc_2" if change == "account" else "acc_1"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "cursor"
    assert answer.json()["code"] == ("request.invalid" if change == "length" else "request.bad_cursor")


@few
@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text() | st.none(), max_size=4), st.lists(st.text() | st.none(), max_size=3))
def test_a_cursor_gives_back_what_it_holds(values: dict[str, object], bound: list[str | None]) -> None:
    text = CURSORS.make(values, *bound)
    assert CURSORS.read(text, *bound) == values
    with pytest.raises(BadCursor):
        CURSORS.read(text, *bound, "more")


@few
@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_a_cursor_with_one_bit_changed_is_refused(place: int, bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(CURSORS.make({"id": "app_1"}) + "=="))
    raw[place % len(raw)] ^= 1 << bit
    with pytest.raises(BadCursor):
        CURSORS.read(base64.urlsafe_b64encode(bytes(raw)).decode())


@few
@given(st.text(max_size=50))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        CURSORS.read(text)


async def test_a_read_waits_until_the_view_has_come_so_far(api: httpx.AsyncClient, things: Things) -> None:
    things.seen["thing_1"] = 1
    asyncio.get_running_loop().call_later(0.02, things.seen.__setitem__, "thing_1", 2)
    answer = await api.get("/v1/things/x", headers=person() | {"event-position": "toy/thing_1/2"})
    assert (answer.status_code, things.seen["thing_1"]) == (200, 2)


async def test_a_read_answers_what_there_is_when_the_time_is_up(api: httpx.AsyncClient) -> None:
    started = time.monotonic()
    answer = await api.get("/v1/things/x", headers=person() | {"event-position": "toy/thing_1/2"})
    assert answer.status_code == 200
    assert 0.1 <= time.monotonic() - started < 1.5


async def test_a_position_of_another_service_is_nothing_to_wait_for(api: httpx.AsyncClient) -> None:
    started = time.monotonic()
    assert (await api.get("/v1/things/x", headers=person() | {"event-position": "other/thing_1/2"})).status_code == 200
    assert time.monotonic() - started < 0.1


@pytest.mark.parametrize("position", ["toy", "toy/thing_1", "toy/thing_1/-1", "toy/thing_1/9999999999", "toy/a b/1", "toy/thing_1/1/2"])
async def test_a_position_that_is_none_is_400(api: httpx.AsyncClient, position: str) -> None:
    answer = await api.get("/v1/things/x", headers=person() | {"event-position": position})
    assert (answer.status_code, answer.json()["code"]) == (400, "request.bad_event_position")


async def test_nothing_is_cached_unless_a_route_says_so_and_secrets_never(api: httpx.AsyncClient) -> None:
    secret = await api.post("/v1/sessions", json={"email": "a@b.example"})
    plain = await api.get("/v1/numbers", headers=person())
    assert (secret.headers["cache-control"], secret.headers["pragma"]) == ("no-store", "no-cache")
    assert plain.headers.get_list("cache-control") == ["no-store"]
