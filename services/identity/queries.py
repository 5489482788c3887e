"""What identity can be asked: whose an address is, a profile, the sessions that are open, whether a token still counts."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.identity.domain.errors import AccountGone
from services.identity.domain.session import IDLE, LIFETIME
from shared.http.tokens import Claims


@dataclass(frozen=True, slots=True)
class ProfileView:
    """An account as its owner sees it."""

    account_id: str
    email: str
    name: str
    verified: bool
    registered_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class SessionView:
    """An open session as its owner sees it."""

    session_id: str
    ip: str
    device: str
    started_at: datetime
    used_at: datetime
    expires_at: datetime


class IdentityQueries:
    """Reads of identity's own tables. Every one but `find_account_id` names the account it is about."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find_account_id(self, email_digest: str) -> str | None:
        """The account that holds an address, given as its HMAC."""
        found: str | None = await self._pool.fetchval("SELECT account_id FROM accounts WHERE email_digest = $1", email_digest)
        return found

    async def get_profile(self, account_id: str) -> ProfileView:
        """Raises AccountGone."""
        row = await self._pool.fetchrow(
            """SELECT account_id, email, name, verified_at IS NOT NULL AS verified, registered_at, version FROM accounts
               WHERE account_id = $1 AND erased_at IS NULL AND email IS NOT NULL AND name IS NOT NULL""",
            account_id,
        )
        if row is None:
            raise AccountGone
        return ProfileView(**row)

    async def list_sessions(self, account_id: str, now: datetime, *, before: str | None, limit: int) -> list[SessionView]:
        """Open sessions, newest first, those with ids below `before`."""
        rows = await self._pool.fetch(
            """SELECT s.session_id, coalesce(s.ip, '') AS ip, coalesce(s.device, '') AS device, s.started_at, s.used_at,
                      least(s.started_at + $4::interval, s.used_at + $5::interval) AS expires_at
               FROM sessions s JOIN accounts a USING (account_id, generation)
               WHERE s.account_id = $1 AND s.ended_at IS NULL AND s.started_at > $2::timestamptz - $4::interval
                 AND s.used_at > $2::timestamptz - $5::interval AND ($3::text IS NULL OR s.session_id < $3)
               ORDER BY s.session_id DESC LIMIT $6""",
            account_id, now, before, LIFETIME, IDLE, limit,
        )  # fmt: skip
        return [SessionView(**row) for row in rows]

    async def is_revoked(self, claims: Claims) -> bool:
        """Whether an access token counts no more, as of now: session ended, account signed out everywhere or erased."""
        if claims.kind == "service":
            return False
        counts: bool = await self._pool.fetchval(
            """SELECT EXISTS (SELECT FROM sessions s JOIN accounts a USING (account_id, generation)
               WHERE s.session_id = $2 AND account_id = $1 AND generation = $3 AND s.ended_at IS NULL AND a.erased_at IS NULL)""",
            claims.subject, claims.session_id, claims.generation,
        )  # fmt: skip
        return not counts
