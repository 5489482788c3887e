"""The two read models of identity: accounts, whose address is unique as an HMAC, and sessions. Erasing blanks both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final

from services.identity.domain.events import (
    AccountErased,
    AccountRegistered,
    AccountVerified,
    IdentityEvent,
    ProfileChanged,
    SessionEnded,
    SessionRefreshed,
    SessionsRevoked,
    SessionStarted,
)
from shared.personal import readable
from shared.store.contract import View
from shared.store.records import Recorded


@dataclass(frozen=True, slots=True)
class _AccountRow:
    """What a batch of events changes in one account: None leaves a column as it is."""

    account_id: str
    email_digest: str | None = None
    email: str | None = None
    name: str | None = None
    generation: int | None = None
    registered_at: datetime | None = None
    verified_at: datetime | None = None
    erased_at: datetime | None = None
    version: int = 0


class Accounts:
    """The table `accounts`: one row an account."""

    name: ClassVar[str] = "accounts"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("accounts",)

    def tables(self, suffix: str) -> str:
        return f"""CREATE TABLE accounts{suffix} (
            account_id text PRIMARY KEY, email_digest text, email text, name text, generation int NOT NULL, registered_at timestamptz,
            verified_at timestamptz, erased_at timestamptz, version int NOT NULL)"""

    def indexes(self, suffix: str) -> str:
        return f"CREATE UNIQUE INDEX accounts{suffix}_email ON accounts{suffix} (email_digest)"

    async def apply(self, db: Any, suffix: str, events: Sequence[Recorded[IdentityEvent]]) -> None:
        rows: dict[str, _AccountRow] = {}
        for recorded in events:
            if recorded.stream_id.startswith("acc_"):
                before = rows.get(recorded.stream_id) or _AccountRow(recorded.stream_id)
                rows[recorded.stream_id] = _account_after(before, recorded)
        if rows:
            await db.execute(_ACCOUNTS.format(suffix=suffix), *_columns(list(rows.values())))


_ACCOUNTS = """
INSERT INTO accounts{suffix} AS old
SELECT account_id, email_digest, email, name, coalesce(generation, 1), registered_at, verified_at, erased_at, version
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[],
    $9::int[]) AS new (account_id, email_digest, email, name, generation, registered_at, verified_at, erased_at, version)
ORDER BY account_id
ON CONFLICT (account_id) DO UPDATE SET
    email_digest = CASE WHEN excluded.erased_at IS NULL THEN coalesce(excluded.email_digest, old.email_digest) END,
    email = CASE WHEN excluded.erased_at IS NULL THEN coalesce(excluded.email, old.email) END,
    name = CASE WHEN excluded.erased_at IS NULL THEN coalesce(excluded.name, old.name) END,
    generation = greatest(excluded.generation, old.generation),
    verified_at = coalesce(excluded.verified_at, old.verified_at),
    erased_at = coalesce(excluded.erased_at, old.erased_at),
    version = excluded.version
"""


def _account_after(row: _AccountRow, recorded: Recorded[IdentityEvent]) -> _AccountRow:
    row = replace(row, version=recorded.version)
    match recorded.event:
        case AccountRegistered(email, email_digest, name, _, registered_at):
            named = replace(row, email=readable(email), email_digest=readable(email_digest), name=readable(name))
            return replace(named, registered_at=registered_at)
        case AccountVerified(verified_at):
            return replace(row, verified_at=verified_at)
        case ProfileChanged(name):
            return replace(row, name=readable(name))
        case SessionsRevoked(generation=int(generation)):
            return replace(row, generation=generation)
        case AccountErased(erased_at):
            return replace(row, erased_at=erased_at, email=None, email_digest=None, name=None)
        case _:
            return row


@dataclass(frozen=True, slots=True)
class _SessionRow:
    """What a batch of events changes in one session: None leaves a column as it is."""

    session_id: str
    account_id: str | None = None
    generation: int | None = None
    ip: str | None = None
    device: str | None = None
    started_at: datetime | None = None
    used_at: datetime | None = None
    ended_at: datetime | None = None
    version: int = 0


class Sessions:
    """The table `sessions`: one row a sign-in. Signing out everywhere is told by the account's generation, not row by row."""

    name: ClassVar[str] = "sessions"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("sessions",)

    def tables(self, suffix: str) -> str:
        return f"""CREATE TABLE sessions{suffix} (
            session_id text PRIMARY KEY, account_id text, generation int, ip text, device text, started_at timestamptz,
            used_at timestamptz, ended_at timestamptz, version int NOT NULL)"""

    def indexes(self, suffix: str) -> str:
        return f"CREATE INDEX sessions{suffix}_account ON sessions{suffix} (account_id, session_id)"

    async def apply(self, db: Any, suffix: str, events: Sequence[Recorded[IdentityEvent]]) -> None:
        rows: dict[str, _SessionRow] = {}
        for recorded in events:
            if recorded.stream_id.startswith("ses_"):
                before = rows.get(recorded.stream_id) or _SessionRow(recorded.stream_id)
                rows[recorded.stream_id] = _session_after(before, recorded)
        if rows:
            await db.execute(_SESSIONS.format(suffix=suffix), *_columns(list(rows.values())))
        # After the rows, because a session that started in the same batch must be blanked too.
        erased = {recorded.stream_id: recorded.event.erased_at for recorded in events if isinstance(recorded.event, AccountErased)}
        if erased:
            await db.execute(_BLANK.format(suffix=suffix), list(erased), list(erased.values()))


_SESSIONS = """
INSERT INTO sessions{suffix} AS old
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
    $8::timestamptz[], $9::int[]) AS new (session_id, account_id, generation, ip, device, started_at, used_at, ended_at, version)
ORDER BY session_id
ON CONFLICT (session_id) DO UPDATE SET
    ip = coalesce(excluded.ip, old.ip), device = coalesce(excluded.device, old.device), used_at = coalesce(excluded.used_at, old.used_at),
    ended_at = coalesce(excluded.ended_at, old.ended_at), version = excluded.version
"""
_BLANK = """
WITH gone AS (
    SELECT s.session_id, erased.at FROM sessions{suffix} s
    JOIN unnest($1::text[], $2::timestamptz[]) AS erased (account_id, at) USING (account_id) ORDER BY s.session_id FOR UPDATE OF s
)
UPDATE sessions{suffix} s SET ip = NULL, device = NULL, ended_at = coalesce(s.ended_at, gone.at) FROM gone
WHERE s.session_id = gone.session_id
"""


def _session_after(row: _SessionRow, recorded: Recorded[IdentityEvent]) -> _SessionRow:
    row = replace(row, version=recorded.version)
    match recorded.event:
        case SessionStarted(account_id, generation, _, ip, device, at):
            return _SessionRow(row.session_id, account_id, generation, readable(ip), readable(device), at, at, None, row.version)
        case SessionRefreshed(ip=ip, device=device, refreshed_at=at):
            return replace(row, ip=readable(ip), device=readable(device), used_at=at)
        case SessionEnded(ended_at=at):
            return replace(row, ended_at=at)
        case _:
            return row


def _columns(rows: Sequence[_AccountRow] | Sequence[_SessionRow]) -> list[list[Any]]:
    return [[getattr(row, column) for row in rows] for column in type(rows[0]).__slots__]


VIEWS: Final[tuple[View, ...]] = (Accounts(), Sessions())
