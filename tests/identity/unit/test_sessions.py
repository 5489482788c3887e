"""Refresh tokens are good once, with ten seconds of grace; sessions end."""

from datetime import datetime
from typing import Any

import pytest

from services.identity.domain import session
from services.identity.domain.errors import RefreshRefused, TokenReused
from services.identity.domain.events import RefreshReused, SessionEnd, SessionEnded, SessionEvent, SessionRefreshed
from tests.identity.builders import NOW, STARTED, at, given_session


def refreshing(token: str, now: datetime, generation: int = 1) -> dict[str, Any]:
    number = int(token.removeprefix("token-"))
    return {
        "generation": generation, "token_digest": token, "next_digest": f"token-{number + 1}", "ip": "192.0.2.2", "device": "Chrome",
        "now": now,
    }  # fmt: skip


def refreshed(number: int, now: datetime) -> SessionRefreshed:
    return SessionRefreshed("acc_1", f"token-{number}", "192.0.2.2", "Chrome", now)


def test_starting_twice_changes_nothing() -> None:
    start = {"account_id": "acc_1", "generation": 1, "token_digest": "token-1", "ip": "192.0.2.1", "device": "Firefox", "now": NOW}
    assert given_session().when(session.start, **start) == [STARTED]
    assert given_session(STARTED).when(session.start, **start) == []


def test_the_present_token_is_traded_for_its_successor() -> None:
    assert given_session(STARTED).when(session.refresh, **refreshing("token-1", at(minutes=4))) == [refreshed(2, at(minutes=4))]


def test_a_second_tab_within_ten_seconds_is_no_event() -> None:
    after = given_session(STARTED, refreshed(2, at(minutes=4)))
    assert after.when(session.refresh, **refreshing("token-1", at(minutes=4, seconds=10))) == []


def test_later_than_ten_seconds_it_is_reuse() -> None:
    after = given_session(STARTED, refreshed(2, at(minutes=4)))
    with pytest.raises(TokenReused):
        after.when(session.refresh, **refreshing("token-1", at(minutes=4, seconds=11)))


def test_once_the_successor_was_used_it_is_reuse_at_once() -> None:
    after = given_session(STARTED, refreshed(2, at(minutes=4)), refreshed(3, at(minutes=4, seconds=1)))
    with pytest.raises(TokenReused):
        after.when(session.refresh, **refreshing("token-1", at(minutes=4, seconds=2)))


def test_reuse_ends_the_family_once() -> None:
    ended: list[SessionEvent] = [RefreshReused(NOW), SessionEnded(SessionEnd.TOKEN_REUSED, NOW)]
    assert given_session(STARTED).when(session.end_family, now=NOW) == ended
    assert given_session(STARTED, *ended).when(session.end_family, now=NOW) == []


@pytest.mark.parametrize(
    ("after", "now"),
    [
        pytest.param([], at(days=14), id="idle for 14 days"),
        pytest.param([refreshed(1, at(days=day)) for day in range(1, 30)], at(days=30), id="30 days old"),
        pytest.param([SessionEnded(SessionEnd.SIGNED_OUT, NOW)], NOW, id="signed out"),
    ],
)
def test_a_session_that_is_over_is_not_refreshed(after: list[Any], now: datetime) -> None:
    with pytest.raises(RefreshRefused):
        given_session(STARTED, *after).when(session.refresh, **refreshing("token-1", now))


def test_a_session_lives_to_the_last_moment() -> None:
    assert given_session(STARTED).when(session.refresh, **refreshing("token-1", at(days=13, hours=23))) != []


def test_signing_out_everywhere_ends_older_generations() -> None:
    with pytest.raises(RefreshRefused):
        given_session(STARTED).when(session.refresh, **refreshing("token-1", NOW, generation=2))


def test_signing_out_twice_changes_nothing() -> None:
    ended = SessionEnded(SessionEnd.SIGNED_OUT, NOW)
    assert given_session(STARTED).when(session.end, now=NOW) == [ended]
    assert given_session(STARTED, ended).when(session.end, now=NOW) == []
    assert given_session().when(session.end, now=NOW) == []


def test_the_account_owns_what_is_personal_about_a_session() -> None:
    assert session.subject("ses_1", STARTED) == session.subject("ses_1", refreshed(2, NOW)) == "acc_1"
