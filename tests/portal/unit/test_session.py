"""The cookie opens with its keys and no others; tokens are refreshed once, however many tabs ask."""

import asyncio
from dataclasses import dataclass, field

import pytest

from portal.apis.calls import Away
from portal.apis.identity import SignedIn
from portal.session import LIFE_SECONDS, Refresher, Session, SessionSeal, Tokens

NEW, OLD, OTHER = (bytes([number]) * 31 + b"k" for number in (1, 2, 3))
NOW = 1_800_000_000.0
SESSION = Session(csrf="token", tokens=Tokens("access", "refresh-1", NOW + 300, "ses_1", "acc_1"), name="Zoë", zone="Europe/Berlin")


def seal(*keys: bytes, now: float = NOW) -> SessionSeal:
    return SessionSeal(keys, lambda: now)


def test_a_session_comes_back_as_it_was() -> None:
    assert seal(NEW).open(seal(NEW).seal(SESSION)) == SESSION


def test_a_cookie_of_an_older_key_opens_and_new_ones_are_sealed_with_the_first() -> None:
    assert seal(NEW, OLD).open(seal(OLD).seal(SESSION)) == SESSION
    assert seal(OLD).open(seal(NEW, OLD).seal(SESSION)) is None


def test_nothing_of_a_session_can_be_read_from_its_cookie_or_guessed_from_another() -> None:
    first, second = seal(NEW).seal(SESSION), seal(NEW).seal(SESSION)
    assert first != second
    assert "refresh-1" not in first


@pytest.mark.parametrize("value", ["", "nonsense", "é" * 40, "A" * 200, "====", "AAAA" * 1000])
def test_what_was_not_sealed_here_does_not_open(value: str) -> None:
    assert seal(NEW).open(value) is None


def test_a_changed_cookie_does_not_open() -> None:
    value = seal(NEW).seal(SESSION)
    swapped = "B" if value[40] == "A" else "A"
    assert seal(NEW).open(value[:40] + swapped + value[41:]) is None
    assert seal(OTHER).open(value) is None


def test_a_cookie_is_good_for_as_long_as_a_session_may_live() -> None:
    value = seal(NEW).seal(SESSION)
    assert seal(NEW, now=NOW + LIFE_SECONDS - 1).open(value) == SESSION
    assert seal(NEW, now=NOW + LIFE_SECONDS + 1).open(value) is None


def test_signing_in_makes_the_forms_that_were_open_before_worthless_and_signing_out_leaves_only_the_look() -> None:
    before = Session(zone="Asia/Tokyo", theme="dark")
    assert SESSION.tokens is not None
    inside = before.signed_in(SESSION.tokens, name="Zoë", email="zoe@example.com")
    assert inside.csrf != before.csrf
    outside = inside.signed_out("Bye.")
    assert (outside.tokens, outside.name, outside.email) == (None, "", "")
    assert (outside.zone, outside.theme, outside.notice) == ("Asia/Tokyo", "dark", "Bye.")
    assert outside.csrf != inside.csrf


@dataclass
class Identity:
    """Trades refresh tokens, slowly; `away` makes it fail."""

    away: bool = False
    traded: list[str] = field(default_factory=list)

    async def trade(self, token: str) -> SignedIn:
        self.traded.append(token)
        await asyncio.sleep(0)
        if self.away:
            raise Away("identity")
        return SignedIn(access_token="a2", refresh_token="refresh-2", expires_in=300, session_id="ses_1", account_id="acc_1")


def tokens(left: float) -> Tokens:
    return Tokens("a1", "refresh-1", NOW + left, "ses_1", "acc_1")


async def test_five_tabs_refresh_once() -> None:
    identity, refresher = Identity(), Refresher(lambda: NOW)
    answers = await asyncio.gather(*(refresher.fresh(tokens(5), identity.trade) for _ in range(5)))
    assert answers == [Tokens("a2", "refresh-2", NOW + 300, "ses_1", "acc_1")] * 5
    assert identity.traded == ["refresh-1"]


async def test_a_tab_that_comes_a_little_later_with_the_old_cookie_gets_the_same_successor() -> None:
    identity, refresher = Identity(), Refresher(lambda: NOW)
    first = await refresher.fresh(tokens(5), identity.trade)
    await asyncio.sleep(0)
    assert await refresher.fresh(tokens(5), identity.trade) == first
    assert identity.traded == ["refresh-1"]


async def test_tokens_that_are_good_for_long_are_left_alone() -> None:
    identity = Identity()
    assert await Refresher(lambda: NOW).fresh(tokens(100), identity.trade) == tokens(100)
    assert identity.traded == []


async def test_while_identity_is_away_tokens_that_are_still_good_are_used_and_it_is_asked_again() -> None:
    identity, refresher = Identity(away=True), Refresher(lambda: NOW)
    assert await refresher.fresh(tokens(5), identity.trade) == tokens(5)
    await asyncio.sleep(0.001)
    identity.away = False
    assert (await refresher.fresh(tokens(5), identity.trade)).access == "a2"


async def test_while_identity_is_away_nobody_goes_on_with_expired_tokens() -> None:
    with pytest.raises(Away):
        await Refresher(lambda: NOW).fresh(tokens(-1), Identity(away=True).trade)


async def test_one_tab_that_gives_up_does_not_spoil_it_for_the_others() -> None:
    identity, refresher = Identity(), Refresher(lambda: NOW)
    impatient = asyncio.create_task(refresher.fresh(tokens(5), identity.trade))
    patient = asyncio.create_task(refresher.fresh(tokens(5), identity.trade))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).access == "a2"
