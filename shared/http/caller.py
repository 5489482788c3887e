"""Who calls, known before the body is read, and the context that a command gets from it."""

import contextlib
import hashlib
import hmac
import json
import re
from abc import abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from fastapi import Request

from shared.errors import Unauthenticated
from shared.http.credentials import bearer_of
from shared.http.exchange import exchange_of
from shared.http.given import Given, IfMatch, MaybeIfMatch, part, provided
from shared.http.refusals import BadIdempotencyKey, ScopeMissing, WrongKindOfCaller
from shared.http.tokens import TokenChecker
from shared.store.records import Context, Idempotency
from shared.telemetry import printable

__all__ = ["Access", "Anyone", "Caller", "IfMatch", "MaybeIfMatch", "Person", "part", "provided", "requires"]

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `account_id`, `session_id` and `generation` belong to a person, `client_id` and `scopes` to a service.

    `ip` is the peer's address, or what a trusted proxy says; `details` is for a service's own `Access`.
    """

    kind: Literal["person", "service", "anonymous"]
    request: Request = field(repr=False, compare=False)
    account_id: str = ""
    session_id: str = ""
    generation: int = 0
    client_id: str = ""
    scopes: frozenset[str] = frozenset()
    details: Any = None

    @property
    def ip(self) -> str:
        """The address of the caller; empty when the transport has none."""
        return self.request.client.host if self.request.client else ""

    @property
    def user_agent(self) -> str:
        """At most 256 printable characters."""
        return printable(self.request.headers.get("user-agent", ""))

    @property
    def actor(self) -> str:
        """How events name the caller."""
        return self.account_id or (f"client:{self.client_id}" if self.client_id else "anonymous")

    def context(self, expected: int | None = None, *, tenant: str | None = None, email: str | None = None) -> Context:
        """What a command needs to know about this request. `tenant` is the account unless given; `email` tells anonymous callers apart.

        Carries the Idempotency-Key on a POST that creates. Raises BadIdempotencyKey.
        """
        owner = tenant or self.account_id
        if not owner:
            raise ValueError("a caller without an account needs a tenant")
        exchange = exchange_of(self.request.scope)
        return Context(
            actor=self.actor,
            tenant=owner,
            now=datetime.now(UTC),
            correlation_id=exchange.request_id,
            traceparent=exchange.traceparent,
            expected=expected,
            idempotency=self._idempotency(email),
        )

    def _idempotency(self, email: str | None) -> Idempotency | None:
        key = self.request.headers.get("idempotency-key")
        route = self.request.scope["route"]
        if key is None or not route.keyed:
            return None
        if not _KEY.fullmatch(key):
            raise BadIdempotencyKey
        secret: bytes = self.request.app.state.idempotency_key
        who = self.actor
        if who == "anonymous":
            who += ":" + _hmac(secret, "email", (email or self.ip).strip().casefold().encode()).hex()
        return Idempotency(f"{self.request.method} {route.path} {who}", key, _hmac(secret, "body", self._said()))

    def _said(self) -> bytes:
        """What must be the same in a repeat: address, query and body; JSON in one spelling, so that a client may encode it again."""
        body = exchange_of(self.request.scope).body
        with contextlib.suppress(ValueError, RecursionError):
            body = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
        return b"\0".join((self.request.scope["path"].encode(), self.request.scope["query_string"], body))


def _hmac(secret: bytes, purpose: str, value: bytes) -> bytes:
    return hmac.new(secret, purpose.encode() + b"\0" + value, hashlib.sha256).digest()


class Access(Given):
    """Decides who may call a route; the route asks it before it reads the body. `schemes` are its names in the OpenAPI document."""

    schemes: ClassVar[tuple[str, ...]] = ()
    scope: str | None = None

    @abstractmethod
    async def identify(self, request: Request) -> Caller:
        """The caller. Raises Unauthenticated or Forbidden."""

    def value(self, request: Request) -> Caller:
        """The caller that `identify` found for this request."""
        caller = exchange_of(request.scope).caller
        if caller is None:
            raise Unauthenticated
        return caller


class AnyoneAccess(Access):
    """No credential is asked for, and one that is sent is not looked at."""

    async def identify(self, request: Request) -> Caller:
        """See Access."""
        return Caller("anonymous", request)


class PersonAccess(Access):
    """A person's access token."""

    schemes = ("accessToken",)

    async def identify(self, request: Request) -> Caller:
        """See Access."""
        claims = await _checked(request)
        if claims.kind != "person":
            raise WrongKindOfCaller
        return Caller("person", request, account_id=claims.subject, session_id=claims.session_id, generation=claims.generation)


class ServiceAccess(Access):
    """A machine's service token with a scope."""

    schemes = ("serviceToken",)

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def identify(self, request: Request) -> Caller:
        """See Access."""
        claims = await _checked(request)
        if claims.kind != "service":
            raise WrongKindOfCaller
        if self.scope not in claims.scopes:
            raise ScopeMissing(f"The scope {self.scope} is needed here.")
        return Caller("service", request, client_id=claims.subject, scopes=claims.scopes)


async def _checked(request: Request) -> Any:
    token = bearer_of(request.headers.get("authorization"))
    if token is None:
        raise Unauthenticated
    return await part(request, TokenChecker).check(token)


def requires(scope: str) -> ServiceAccess:
    """Ask for a service token with this scope.

    A route says `caller: Annotated[Caller, requires("feed:keys")]`.
    """
    return ServiceAccess(scope)


Person = Annotated[Caller, PersonAccess()]
Anyone = Annotated[Caller, AnyoneAccess()]
