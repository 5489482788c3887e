"""API keys as credentials: checked in this process, and reported to their owner when a browser holds the secret one."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Protocol

from fastapi import Request
from latchkey.judging import Code
from latchkey.keyformat import Kind
from latchkey.verifier import Verdict

from services.metrics.commands import TransactionCommands
from services.metrics.domain import errors
from services.metrics.domain.transaction import Key
from shared.errors import Refusal
from shared.http.caller import Access, Caller, part
from shared.http.credentials import basic_of, bearer_of
from shared.telemetry import printable

REFUSALS: Final[Mapping[Code, type[Refusal]]] = {
    Code.MALFORMED: errors.KeyMalformed,
    Code.NOT_FOUND: errors.KeyUnknown,
    Code.REVOKED: errors.KeyRevoked,
    Code.EXPIRED: errors.KeyExpired,
    Code.ROTATED: errors.KeyRotated,
    Code.DISABLED: errors.KeyDisabled,
    Code.APP_DISABLED: errors.AppDisabled,
    Code.FORBIDDEN_ORIGIN: errors.OriginForbidden,
    Code.FORBIDDEN_IP: errors.AddressForbidden,
    Code.INSUFFICIENT_SCOPE: errors.ScopeMissing,
    Code.RATE_LIMITED: errors.KeysUnverifiable,
    Code.STALE_FEED: errors.KeysUnverifiable,
}


class Verifier(Protocol):
    """What `latchkey.verifier.LocalVerifier` is to us."""

    async def check_fresh(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        """Judge a key; one made a moment ago is known, or STALE_FEED."""


class Domains(Protocol):
    """What `services.metrics.queries.domains.DomainQueries` is to us."""

    async def permits(self, app_id: str, origin: str) -> bool:
        """Whether a page of this origin may use the app's public keys."""


class KeyDesk:
    """Admits the bearer of a key, or says why not; a secret key from a browser is kept for its owner before it is refused."""

    def __init__(self, verifier: Verifier, commands: TransactionCommands, domains: Domains) -> None:
        self._verifier, self._commands, self._domains = verifier, commands, domains

    async def admit(self, request: Request) -> Caller:
        """The caller, with the `Key` as `details`. Raises a refusal of its own for each verdict."""
        authorization, origin = request.headers.get("authorization"), request.headers.get("origin")
        basic = basic_of(authorization)
        text = basic[0] if basic else bearer_of(authorization)
        if text is None:
            raise errors.KeyMissing
        verdict = await self._verifier.check_fresh(text, origin=origin, ip=request.client.host if request.client else None)
        if verdict.record is None:
            raise REFUSALS[verdict.code]
        record, secret = verdict.record, verdict.kind is Kind.SECRET
        key = Key(record.app_id, record.environment, record.pair_id, record.lineage_id, record.tenant, secret)
        caller = Caller("service", request, client_id=key.pair_id, details=key)
        if verdict.code is Code.FORBIDDEN_ORIGIN and secret and origin is not None:
            await self._commands.refuse(key, caller.context(tenant=key.tenant), origin=printable(origin))
            raise errors.SecretKeyInBrowser
        if verdict.code is not Code.VALID:
            raise REFUSALS[verdict.code]
        if origin is not None and not await self._domains.permits(key.app_id, origin):
            raise errors.OriginUnverified
        return caller


class ApiKeyAccess(Access):
    """Either key of a pair; what a public one may do is the domain's to say."""

    schemes: ClassVar[tuple[str, ...]] = ("secretKey", "publicKey")

    async def identify(self, request: Request) -> Caller:
        """See Access."""
        return await part(request, KeyDesk).admit(request)


class SecretKeyAccess(Access):
    """The secret key only."""

    schemes: ClassVar[tuple[str, ...]] = ("secretKey",)

    async def identify(self, request: Request) -> Caller:
        """See Access."""
        caller = await part(request, KeyDesk).admit(request)
        if not caller.details.secret:
            raise errors.PublicKeyLimited
        return caller


ApiKey = Annotated[Caller, ApiKeyAccess()]
SecretKey = Annotated[Caller, SecretKeyAccess()]
