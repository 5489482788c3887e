"""Who may ask about a key and what they are told: the same whether the question comes by the plain ASGI route or by any other."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from time import time
from types import MappingProxyType
from typing import Final, NamedTuple

from latchkey.judging import Code, PairRecord, PairStatus, judge
from latchkey.keyformat import Kind, ParsedKey, parse_key

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
_NO_DEADLINE: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_KEPT: Final = 50_000  # answers, and credentials
_log: Final = logging.getLogger(__name__)


class Question(NamedTuple):
    """A key, and the circumstances under which somebody used it."""

    key: str
    scope: str | None = None
    origin: str | None = None
    ip: str | None = None


class Verifying:
    """Judges keys from memory. Refuses with StaleFeed rather than answer from a table that may miss a revocation."""

    def __init__(self, table: VerifierTable, tokens: TokenChecker, usage: UsageCounter, now: Callable[[], datetime]) -> None:
        """`now` tells the database's time, by which deadlines are judged."""
        self._table, self._tokens, self._usage, self._now = table, tokens, usage, now
        self._admitted: dict[bytes, float] = {}
        self._rendered: dict[tuple[str, bool], tuple[PairRecord, bytes]] = {}

    def admitted(self, authorization: bytes) -> bool:
        """Whether this is a service token that `asker` has seen to be good, which then may ask about every app."""
        return self._admitted.get(sha256(authorization).digest(), 0.0) > time()

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
        if len(self._admitted) >= _MOST_KEPT:
            self._admitted.clear()
        self._admitted[sha256(authorization.encode("latin-1")).digest()] = claims.expires_at
        return EVERY_APP

    async def answer(self, asker: str, question: Question) -> bytes:
        """The verdict as JSON, and one more use of the pair when the key is good. Raises StaleFeed and VerifierBusy."""
        parsed = parse_key(question.key)
        if parsed is None:
            return _MALFORMED
        record = self._known(parsed) or await self._awaited(parsed)
        if record is None or asker not in {EVERY_APP, record.app_id}:
            return _render(Code.NOT_FOUND, parsed, None)
        code = self._judged(parsed, record, question)
        if code is not Code.VALID:
            return _render(code, parsed, record)
        self._usage.count(record.pair_id)
        return self._accepted(parsed, record)

    def _known(self, parsed: ParsedKey) -> PairRecord | None:
        if not self._table.fresh:
            raise StaleFeed
        return self._table.find(parsed)

    def _judged(self, parsed: ParsedKey, record: PairRecord, question: Question) -> Code:
        undated = record.status is PairStatus.ACTIVE and record.expires_at is None
        now = _NO_DEADLINE if undated else self._now()
        return judge(record, parsed.kind, now, origin=question.origin, ip=question.ip, scope=question.scope)

    async def _awaited(self, parsed: ParsedKey) -> PairRecord | None:
        """A key that was made a moment ago may not have arrived here."""
        try:
            record = await self._table.find_fresh(parsed)
        except TableBusy:
            raise VerifierBusy from None
        except TableStale:
            raise StaleFeed from None
        if not self._table.fresh:
            raise StaleFeed
        return record

    async def _app_of(self, secret_key: str, origin: str | None, ip: str | None) -> str:
        parsed = parse_key(secret_key)
        if parsed is None:
            raise CallerRefused
        record = self._known(parsed) or await self._awaited(parsed)
        if record is None:
            raise CallerRefused
        code = self._judged(parsed, record, Question(secret_key, origin=origin, ip=ip))
        if code is Code.FORBIDDEN_ORIGIN:
            _log.warning("a secret key was sent from a browser, pair %s", record.pair_id)
            raise SecretKeyInBrowser
        if code is not Code.VALID:
            raise CallerRefused(SENTENCES[code])
        return record.app_id

    def _accepted(self, parsed: ParsedKey, record: PairRecord) -> bytes:
        """A good key's verdict: the same record gives the same bytes, so they are kept for as long as it is the same."""
        place = (record.pair_id, parsed.kind is Kind.SECRET)
        known = self._rendered.get(place)
        if known is not None and known[0] is record:
            return known[1]
        if len(self._rendered) >= _MOST_KEPT:
            self._rendered.clear()
        body = _render(Code.VALID, parsed, record)
        self._rendered[place] = (record, body)
        return body


def _render(code: Code, parsed: ParsedKey | None, record: PairRecord | None) -> bytes:
    verdict = {
        "valid": code is Code.VALID,
        "code": code,
        "detail": SENTENCES[code],
        "app_id": record.app_id if record else None,
        "pair_id": record.pair_id if record else None,
        "kind": parsed.kind if parsed else None,
        "environment": parsed.environment if parsed else None,
        "scopes": sorted(record.scopes) if record else [],
        "expires_at": record.expires_at.isoformat() if record and record.expires_at else None,
    }
    return json.dumps(verdict, separators=(",", ":")).encode()


_MALFORMED: Final = _render(Code.MALFORMED, None, None)
