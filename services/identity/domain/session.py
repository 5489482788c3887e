"""A session: a family of refresh tokens, each good once, with ten seconds of grace for two tabs that refresh at the same moment."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from services.identity.domain.errors import RefreshRefused, TokenReused
from services.identity.domain.events import RefreshReused, SessionEnd, SessionEnded, SessionEvent, SessionRefreshed, SessionStarted

LIFETIME: Final = timedelta(days=30)
IDLE: Final = timedelta(days=14)
GRACE: Final = timedelta(seconds=10)


class Status(StrEnum):
    """Where a session is in its life; that it has run out is told by its times."""

    UNKNOWN = "unknown"
    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in. Tokens are known by their digests only: the one that is good, and the one before it."""

    session_id: str
    status: Status = Status.UNKNOWN
    account_id: str = ""
    generation: int = 0
    current: str = ""
    previous: str = ""
    started_at: datetime | None = None
    used_at: datetime | None = None

    def is_live(self, now: datetime, generation: int) -> bool:
        """Whether it still lets its owner in: not ended, not run out, not of a generation that was signed out everywhere."""
        if self.status is not Status.OPEN or self.started_at is None or self.used_at is None or self.generation != generation:
            return False
        return now < self.started_at + LIFETIME and now < self.used_at + IDLE


def evolve(session: Session, event: SessionEvent) -> Session:
    match event:
        case SessionStarted(account_id=account_id, generation=generation, token_digest=digest, started_at=at):
            return Session(session.session_id, Status.OPEN, account_id, generation, digest, "", at, at)
        case SessionRefreshed(token_digest=digest, refreshed_at=at):
            return replace(session, current=digest, previous=session.current, used_at=at)
        case RefreshReused():
            return session
        case SessionEnded():
            return replace(session, status=Status.ENDED)
        case _:
            assert_never(event)


def subject(stream_id: str, event: SessionEvent) -> str:
    """Whose key seals what is personal about a session: its owner's, so that it goes with the account."""
    match event:
        case SessionStarted(account_id=account_id) | SessionRefreshed(account_id=account_id):
            return account_id
        case RefreshReused() | SessionEnded():
            return stream_id
        case _:
            assert_never(event)


def start(
    session: Session, *, account_id: str, generation: int, token_digest: str, ip: str, device: str, now: datetime
) -> list[SessionEvent]:
    """Begin with a first refresh token."""
    if session.status is not Status.UNKNOWN:
        return []
    return [SessionStarted(account_id, generation, token_digest, ip, device, now)]


def refresh(
    session: Session, *, generation: int, token_digest: str, next_digest: str, ip: str, device: str, now: datetime
) -> list[SessionEvent]:
    """Take a token that we once made, for its successor. The one before the present within 10 s meets the same successor and is no
    event; any older one raises TokenReused. Raises RefreshRefused when the session is over."""
    if not session.is_live(now, generation) or session.used_at is None:
        raise RefreshRefused
    if token_digest == session.current:
        return [SessionRefreshed(session.account_id, next_digest, ip, device, now)]
    if token_digest == session.previous and now <= session.used_at + GRACE:
        return []
    raise TokenReused


def end_family(session: Session, *, now: datetime) -> list[SessionEvent]:
    """A token came back after its successor: whoever holds the newest one may be the thief, so no token of the family is good."""
    return [RefreshReused(now), SessionEnded(SessionEnd.TOKEN_REUSED, now)] if session.status is Status.OPEN else []


def end(session: Session, *, now: datetime) -> list[SessionEvent]:
    """Sign out; ending twice changes nothing."""
    return [SessionEnded(SessionEnd.SIGNED_OUT, now)] if session.status is Status.OPEN else []
