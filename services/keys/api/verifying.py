"""Who may ask about a key and what they are told: the same whether the question comes by the plain ASGI route or by any other."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from time import time
from types import MappingProxyType
from typing import Final, NamedTuple

from latchkey.directory import Entry
from latchkey.judging import Code, PairRecord
from latchkey.keyformat import Environment, Kind, ParsedKey, is_whole, parse_key
from pydantic_core import to_json

from services.keys.domain.errors import CallerRefused, SecretKeyInBrowser, StaleFeed, VerifierBusy
from services.keys.projections.usage import UsageCounter
from services.keys.projections.verifier_table import TableBusy, TableStale, VerifierTable
from shared.errors import Unauthenticated
from shared.http.credentials import bearer_of, secret_key_of
from shared.http.refusals import ScopeMissing, WrongKindOfCaller
from shared.http.tokens import TokenChecker

VERIFY_SCOPE: Final = "keys:verify"
EVERY_APP: Final = ""  # what a service token may ask about
SENTENCES: Final = MappingProxyType(
    {
        Code.VALID: "The key is good.",
        Code.MALFORMED: "This is no key: its form or its checksum is wrong.",
        Code.NOT_FOUND: "There is no such key.",
        Code.REVOKED: "The key was revoked.",
        Code.EXPIRED: "The key has expired.",
        Code.ROTATED: "The key was replaced by a new one.",
        Code.APP_DISABLED: "Application is disabled!",
        Code.DISABLED: "The key is disabled.",
        Code.FORBIDDEN_ORIGIN: "The key may not be used from this origin; a secret key never from a browser.",
        Code.FORBIDDEN_IP: "The key may not be used from this address.",
        Code.INSUFFICIENT_SCOPE: "The key does not have this scope.",
    }
)
_VALID: Final = Code.VALID  # as in judging: a member of an enumeration is dear to find on Python 3.11
_MOST_KEPT: Final = 50_000  # answers
_MOST_ADMITTED: Final = 2_000  # service tokens, of some 500 bytes
_log: Final = logging.getLogger(__name__)


class Question(NamedTuple):
    """A key, and the circumstances under which somebody used it."""

    key: str
    scope: str | None = None
    origin: str | None = None
    ip: str | None = None


class Waiting(NamedTuple):
    """A verdict on a key that was made a moment ago or never: `verdict` may be asked once `done` is, and raises StaleFeed."""

    done: asyncio.Future[None]
    verdict: Callable[[], bytes]


class Verifying:
    """Judges keys from memory. Refuses with StaleFeed rather than answer from a table that may miss a revocation."""

    def __init__(self, table: VerifierTable, tokens: TokenChecker, usage: UsageCounter, now: Callable[[], datetime]) -> None:
        """`now` tells the database's time, by which deadlines are judged."""
        self._table, self._tokens, self._usage, self._now = table, tokens, usage, now
        self.accepted = 0
        self.refused: dict[Code, int] = {code: 0 for code in SENTENCES if code is not Code.VALID}
        """How often each verdict was given. Good keys have a number of their own: looking a code up takes longer than counting."""
        self._admitted: dict[bytes, float] = {}
        self._rendered: dict[int, tuple[Entry, bytes]] = {}  # by the identity of an entry, which is nobody else's while it is held here

    def admitted(self, authorization: bytes) -> bool:
        """Whether this is a service token that `asker` has seen to be good, which then may ask about every app, and is good still."""
        return self._admitted.get(authorization, 0.0) > time()

    async def asker(self, authorization: str, origin: str | None, ip: str | None) -> str:
        """The app that the credential may ask about, or EVERY_APP. Raises Unauthenticated and Forbidden ones, and what `answer` raises."""
        secret_key = secret_key_of({"authorization": authorization})
        if secret_key is not None:
            return await self._app_of(secret_key, origin, ip)
        token = bearer_of(authorization)
        if token is None:
            raise Unauthenticated
        claims = await self._tokens.check(token)
        if claims.kind != "service":
            raise WrongKindOfCaller
        if VERIFY_SCOPE not in claims.scopes:
            raise ScopeMissing(f"The scope {VERIFY_SCOPE} is needed here.")
        if len(self._admitted) >= _MOST_ADMITTED:
            self._admitted.clear()
        self._admitted[authorization.encode("latin-1")] = claims.expires_at
        return EVERY_APP

    async def answer(self, asker: str, question: Question) -> bytes:
        """The verdict as JSON, and one more use of the pair when the key is good. Raises StaleFeed and VerifierBusy."""
        told = self.at_once(asker, question)
        if isinstance(told, bytes):
            return told
        await told.done
        return told.verdict()

    def at_once(self, asker: str, question: Question) -> "bytes | Waiting":
        """What `answer` says, for all but a well-formed key that this process has not heard of. Raises what `answer` raises."""
        entry = self._known(question.key)
        if entry is not None:
            return self._told(asker, entry, question)
        parsed = parse_key(question.key)
        if parsed is None:
            self.refused[Code.MALFORMED] += 1
            return _MALFORMED
        return Waiting(self._settled(), partial(self._at_last, asker, question, parsed))

    def _at_last(self, asker: str, question: Question, parsed: ParsedKey) -> bytes:
        entry = self._known(question.key)
        return self._not_found(parsed.kind, parsed.environment) if entry is None else self._told(asker, entry, question)

    def _settled(self) -> asyncio.Future[None]:
        try:
            return self._table.settled()
        except TableBusy:
            raise VerifierBusy from None

    def _told(self, asker: str, entry: Entry, question: Question) -> bytes:
        record = entry.record
        if asker not in (EVERY_APP, record.app_id):
            return self._not_found(entry.kind, entry.environment)
        code = self._judged(entry, question)
        if code is not _VALID:
            self.refused[code] += 1
            return _render(code, entry.kind, entry.environment, record)
        self.accepted += 1
        self._usage.count(record.pair_id)
        return self._accepted(entry)

    def _not_found(self, kind: Kind, environment: Environment) -> bytes:
        self.refused[Code.NOT_FOUND] += 1
        return _NOT_FOUND[kind, environment]

    def _known(self, key: str) -> Entry | None:
        try:
            return self._table.look_up(key)
        except TableStale:
            if is_whole(key):
                raise StaleFeed from None
            return None

    def _judged(self, entry: Entry, question: Question) -> Code:
        return entry.judged(self._now, origin=question.origin, ip=question.ip, scope=question.scope)

    async def _app_of(self, secret_key: str, origin: str | None, ip: str | None) -> str:
        entry = self._known(secret_key)
        if entry is None and is_whole(secret_key):
            await self._settled()
            entry = self._known(secret_key)
        if entry is None:
            raise CallerRefused
        code = self._judged(entry, Question(secret_key, origin=origin, ip=ip))
        if code is Code.FORBIDDEN_ORIGIN:
            _log.warning("a secret key was sent from a browser, pair %s", entry.record.pair_id)
            raise SecretKeyInBrowser
        if code is not Code.VALID:
            raise CallerRefused(SENTENCES[code])
        return entry.record.app_id

    def _accepted(self, entry: Entry) -> bytes:
        """A good key's verdict: the same entry gives the same bytes, so they are kept for as long as it is the same."""
        known = self._rendered.get(id(entry))
        if known is not None:
            return known[1]
        if len(self._rendered) >= _MOST_KEPT:
            self._rendered.clear()
        body = _render(Code.VALID, entry.kind, entry.environment, entry.record)
        self._rendered[id(entry)] = (entry, body)
        return body


def _render(code: Code, kind: Kind | None, environment: Environment | None, record: PairRecord | None) -> bytes:
    return to_json(
        {
            "valid": code is Code.VALID,
            "code": code,
            "detail": SENTENCES[code],
            "app_id": record.app_id if record else None,
            "pair_id": record.pair_id if record else None,
            "kind": kind,
            "environment": environment,
            "scopes": sorted(record.scopes) if record else [],
            "expires_at": record.expires_at.isoformat() if record and record.expires_at else None,
        }
    )


_MALFORMED: Final = _render(Code.MALFORMED, None, None, None)
_NOT_FOUND: Final = {(kind, environment): _render(Code.NOT_FOUND, kind, environment, None) for kind in Kind for environment in Environment}
