"""Accounts and sessions for the tests of identity, and given / when / then over the pure aggregates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from services.identity.domain import account, session
from services.identity.domain.account import Account
from services.identity.domain.events import (
    AccountEvent,
    AccountRegistered,
    AccountVerified,
    SessionEvent,
    SessionStarted,
    VerificationCodeSent,
)
from services.identity.domain.session import Session

S = TypeVar("S")
E = TypeVar("E")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RIGHT, WRONG = "digest-right", "digest-wrong"
REGISTERED = AccountRegistered("ann@example.com", "email-digest", "Ann", "hash", NOW)


def at(**after: float) -> datetime:
    """So much after NOW."""
    return NOW + timedelta(**after)


def code_sent(sent_at: datetime = NOW, digest: str = RIGHT) -> VerificationCodeSent:
    """A code that is good for ten minutes."""
    return VerificationCodeSent(digest, sent_at, sent_at + timedelta(minutes=10))


UNVERIFIED: tuple[AccountEvent, ...] = (REGISTERED, code_sent())
ACTIVE: tuple[AccountEvent, ...] = (*UNVERIFIED, AccountVerified(NOW))


@dataclass(frozen=True)
class Given(Generic[S, E]):
    """A state, and what a decision makes of it."""

    state: S

    def when(self, decision: Callable[..., Sequence[E]], **values: Any) -> list[E]:
        """The events that are decided."""
        return list(decision(self.state, **values))


def given(*history: AccountEvent) -> Given[Account, AccountEvent]:
    """An account to which this has happened."""
    state = Account("acc_1")
    for event in history:
        state = account.evolve(state, event)
    return Given(state)


def given_session(*history: SessionEvent) -> Given[Session, SessionEvent]:
    """A session to which this has happened."""
    state = Session("ses_1")
    for event in history:
        state = session.evolve(state, event)
    return Given(state)


STARTED = SessionStarted("acc_1", 1, "token-1", "192.0.2.1", "Firefox", NOW)
