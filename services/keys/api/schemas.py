"""The shapes of keys' requests and answers."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from ipaddress import ip_network
from typing import Annotated, Self

from fastapi import Path
from latchkey.judging import Code
from latchkey.keyformat import Environment, Kind
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from services.keys.api.downloads import Downloads
from services.keys.commands import Issued, Rules
from services.keys.domain.decisions import OVERLAP_LIMIT_SECONDS
from services.keys.domain.errors import SecretAlreadyRevealed
from services.keys.queries.history import HistoryEntry
from services.keys.queries.pairs import PairView, UsageView
from shared.http.schemas import Body


def _network(text: str) -> str:
    """An address or range in its one spelling; a range may be written by any address in it."""
    network = ip_network(text, strict=False)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _in_utc(moment: datetime | None) -> datetime | None:
    """The last day is refused too: in some zone it is one of the year 10000, and PostgreSQL keeps its last moment as infinity."""
    with suppress(OverflowError):
        utc = None if moment is None else moment.astimezone(UTC)
        if utc is None or utc.date() < date.max:
            return utc
    raise ValueError("lies outside the calendar in UTC; without it a pair does not expire")


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


Scope = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._:-]{0,63}$", examples=["payments:write"])]
Origin = Annotated[
    str,
    Field(max_length=261, pattern=r"^https?://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$", examples=["https://shop.example"]),
]
Network = Annotated[str, Field(max_length=43, examples=["203.0.113.0/24"]), AfterValidator(_network)]
AppId = Annotated[str, Path(max_length=64)]
PairId = Annotated[str, Path(max_length=64)]


class Generate(Body):
    environment: Environment
    expires_at: Annotated[AwareDatetime | None, AfterValidator(_in_utc), Field(description="The pair is refused from then on")] = None
    scopes: Annotated[tuple[Scope, ...], Field(max_length=32), AfterValidator(_unique)] = ()
    allowed_origins: Annotated[tuple[Origin, ...], Field(max_length=32), AfterValidator(_unique)] = ()
    allowed_ips: Annotated[tuple[Network, ...], Field(max_length=32), AfterValidator(_unique)] = ()

    def rules(self) -> Rules:
        """What the pair is restricted to."""
        return Rules(self.expires_at, self.scopes, self.allowed_origins, self.allowed_ips)


class Regenerate(Body):
    overlap_seconds: Annotated[
        int, Field(ge=0, le=OVERLAP_LIMIT_SECONDS, description="For so long the old pair works too; 0 refuses it at once")
    ] = 0


class Revoke(Body):
    reason: Annotated[str, Field(min_length=1, max_length=200, description="Is published; must not be personal data")] = "unspecified"


class Pair(BaseModel):
    """A pair without its secret; `suspensions` are the reasons for which every key of the app is refused now."""

    pair_id: str
    app_id: str
    environment: str
    lineage_id: str
    status: str
    reason: str | None
    public_key: str
    secret_key_prefix: str
    secret_last_four: str
    created_at: datetime
    expires_at: datetime | None
    valid_until: Annotated[datetime | None, Field(description="The end of the overlap after a regeneration")]
    ended_at: datetime | None
    scopes: Sequence[str]
    allowed_origins: Sequence[str]
    allowed_ips: Sequence[str]
    suspensions: Sequence[str]
    version: int

    @classmethod
    def of(cls, pair: PairView) -> Self:
        """The shape of a view."""
        fields = {name: getattr(pair, name) for name in PairView.__slots__}
        return cls.model_validate({**fields, "secret_key_prefix": f"lk_{Kind.SECRET}_{pair.environment}_"})


class IssuedPair(Pair):
    """The one answer that carries the secret key. A repeat of the request gets null there, and `code` says why."""

    secret_key: str | None
    code: Annotated[str | None, Field(description=f"`{SecretAlreadyRevealed.code}` when the secret was shown before")]
    downloads: Annotated[Downloads | None, Field(description="The bodies of files that hold both keys")]

    @classmethod
    def issued(cls, issued: Issued, pair: PairView) -> Self:
        """The shape of a pair that was just made."""
        secret = issued.secret_key
        code, downloads = (SecretAlreadyRevealed.code, None) if secret is None else (None, Downloads.of(pair, secret))
        return cls(**Pair.of(pair).model_dump(), secret_key=secret, code=code, downloads=downloads)


class HistoryItem(BaseModel):
    """One thing that happened to the app's keys."""

    event: str
    actor: str
    at: datetime
    environment: str
    pair_id: Annotated[str | None, Field(description="None where it is about all keys of the environment")]
    reason: str | None

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        """The shape of a view."""
        return cls.model_validate(entry, from_attributes=True)


class Hour(BaseModel):
    hour: datetime
    calls: int


class Usage(BaseModel):
    """How many times the pair's keys were accepted by POST /v1/keys/verify; at most a minute old."""

    last_used_at: datetime | None
    total: int
    hours: Sequence[Hour]

    @classmethod
    def of(cls, usage: UsageView) -> Self:
        """The shape of a view."""
        return cls.model_validate(usage, from_attributes=True)


class Verify(Body):
    key: Annotated[str, Field(max_length=256)]
    scope: Annotated[str | None, Field(max_length=64)] = None
    origin: Annotated[str | None, Field(max_length=261, description="The Origin header of the request that brought the key")] = None
    ip: Annotated[str | None, Field(max_length=45, description="Where that request came from")] = None


class Verdict(BaseModel):
    """What is known of a key. Nothing but its form is told of one that is unknown, or not of the calling app."""

    valid: bool
    code: Code
    detail: str
    app_id: str | None
    pair_id: str | None
    kind: Kind | None
    environment: Environment | None
    scopes: Sequence[str]
    expires_at: datetime | None
