"""What can be done about sessions: sign in, refresh, sign out one, sign out everywhere."""

import contextlib
import re
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.identity.commands.ports import Desk, about
from services.identity.commands.secrets import RefreshTokens, digest_of
from services.identity.commands.tokens import Signer
from services.identity.domain import access, account, session
from services.identity.domain.account import Account
from services.identity.domain.errors import RefreshRefused, SessionNotFound, SignInRefused, TokenReused
from services.identity.domain.events import AccountEvent, SessionEvent
from services.identity.domain.session import Session
from shared.errors import StreamMoved
from shared.ids import new_id
from shared.store.aggregates import Aggregates, Decided, Part, decide_together
from shared.store.records import Context

_SESSION_ID: Final = re.compile(r"ses_[0-9A-Za-z]{22}")


@dataclass(frozen=True, slots=True)
class Device:
    """Where a session is used from, as its owner is shown it."""

    ip: str
    name: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The two tokens that a session gives out."""

    access_token: str
    refresh_token: str
    session_id: str
    account_id: str


class SessionCommands:
    """A session and its account are decided on together where both change."""

    def __init__(
        self,
        accounts: Aggregates[Account, AccountEvent],
        sessions: Aggregates[Session, SessionEvent],
        desk: Desk,
        tokens: RefreshTokens,
        signer: Signer,
    ) -> None:
        self._accounts, self._sessions, self._desk, self._tokens, self._signer = accounts, sessions, desk, tokens, signer

    async def sign_in(self, email: str, password: str, device: Device, context: Context) -> SignedIn:
        """Start a session and forget failures, in one transaction. Raises SignInRefused, AccountUnverified, TooManyAttempts."""
        await self._desk.count("sign-in", device.ip, email=email)
        account_id = await self._desk.find(email) or ""
        known = (await self._accounts.load(account_id)).state if account_id else Account("")
        if not await self._desk.passwords.matches(known.password_hash, password):
            await self._reject(account_id, context)
            raise SignInRefused
        session_id = new_id("ses")
        token = self._tokens.first(session_id)
        starting = partial(
            session.start, account_id=account_id, generation=known.generation, token_digest=digest_of(token), ip=device.ip,
            device=device.name, now=context.now,
        )  # fmt: skip
        await decide_together(
            [
                Part(self._sessions, session_id, starting, new=True),
                Part(self._accounts, account_id, partial(access.admit, now=context.now)),
            ],
            about(context, account_id, actor=account_id),
        )
        return self._signed_in(account_id, session_id, known.generation, token, context)

    async def refresh(self, token: str, device: Device, context: Context) -> SignedIn:
        """Rotate a refresh token; one that comes back late ends its session. Raises RefreshRefused."""
        session_id = self._tokens.session_of(token)
        account_id = (await self._sessions.load(session_id)).state.account_id
        if not account_id:
            raise RefreshRefused
        generation = (await self._accounts.load(account_id)).state.generation
        context = about(context, account_id, actor=account_id)
        successor = self._tokens.successor(token)
        decision = partial(
            session.refresh, generation=generation, token_digest=digest_of(token), next_digest=digest_of(successor), ip=device.ip,
            device=device.name, now=context.now,
        )  # fmt: skip
        try:
            await self._sessions.decide(session_id, decision, context)
        except TokenReused:
            await self._end_with(partial(session.end_family, now=context.now), session_id, account_id, context)
            raise RefreshRefused from None
        return self._signed_in(account_id, session_id, generation, successor, context)

    async def end(self, account_id: str, session_id: str, *, context: Context) -> None:
        """Sign out one session of the account. Raises SessionNotFound."""
        if not _SESSION_ID.fullmatch(session_id):
            raise SessionNotFound  # the id of a stream of another kind must not be read as a session
        found = (await self._sessions.load(session_id)).state
        if found.account_id != account_id:
            raise SessionNotFound
        if found.status is not session.Status.OPEN:
            return  # ended before: everybody has been told
        await self._end_with(partial(session.end, now=context.now), session_id, account_id, context)

    async def end_all(self, account_id: str, *, context: Context) -> Decided[Account]:
        """Sign out everywhere, here too."""
        return await self._accounts.decide(account_id, account.revoke_all, context)

    async def _end_with(self, ending: partial[list[SessionEvent]], session_id: str, account_id: str, context: Context) -> None:
        telling = partial(account.revoke_session, session_id=session_id)
        await decide_together([Part(self._sessions, session_id, ending), Part(self._accounts, account_id, telling)], context)

    async def _reject(self, account_id: str, context: Context) -> None:
        if account_id:
            with contextlib.suppress(StreamMoved):  # others guess at the same moment and are counted; the answer must not tell
                await self._accounts.decide(account_id, partial(access.reject, now=context.now), about(context, account_id))

    def _signed_in(self, account_id: str, session_id: str, generation: int, refresh_token: str, context: Context) -> SignedIn:
        signed = self._signer.access_token(account_id, session_id, generation, context.now)
        return SignedIn(signed, refresh_token, session_id, account_id)
