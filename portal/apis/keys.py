"""The client of keys: the pairs of an app."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.apis.calls import Calls, View, given, quoted


class Pair(View):
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
    valid_until: datetime | None
    ended_at: datetime | None
    scopes: Sequence[str]
    allowed_origins: Sequence[str]
    allowed_ips: Sequence[str]
    suspensions: Sequence[str]
    version: int


class IssuedPair(Pair):
    secret_key: str | None
    code: str | None
    downloads: Mapping[str, str] | None


class Pairs(View):
    items: Sequence[Pair]
    next_cursor: str | None


class HistoryItem(View):
    event: str
    actor: str
    at: datetime
    environment: str
    pair_id: str | None
    reason: str | None


class History(View):
    items: Sequence[HistoryItem]
    next_cursor: str | None


class Hour(View):
    hour: datetime
    calls: int


class Usage(View):
    last_used_at: datetime | None
    total: int
    hours: Sequence[Hour]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of apps."""

    calls: Calls

    async def pairs(self, app_id: str, *, cursor: str | None = None, limit: int = 50) -> Pairs:
        return await self.calls.read(Pairs, f"/v1/apps/{app_id}/keys", params=given({"cursor": cursor, "limit": limit}))

    async def pair(self, app_id: str, pair_id: str) -> Pair:
        return await self.calls.read(Pair, f"/v1/apps/{app_id}/keys/{pair_id}")

    async def history(self, app_id: str, *, cursor: str | None = None) -> History:
        return await self.calls.read(History, f"/v1/apps/{app_id}/keys/history", params=given({"cursor": cursor}))

    async def usage(self, app_id: str, pair_id: str, *, hours: int = 24) -> Usage:
        return await self.calls.read(Usage, f"/v1/apps/{app_id}/keys/{pair_id}/usage", params={"hours": hours})

    async def generate(self, app_id: str, rules: Mapping[str, Any], *, key: str) -> IssuedPair:
        """Make a pair. A repeat with the same idempotency key has no secret."""
        headers = {"idempotency-key": key}
        return await self.calls.read(IssuedPair, f"/v1/apps/{app_id}/keys", method="POST", json=rules, headers=headers)

    async def regenerate(self, app_id: str, pair_id: str, *, overlap_seconds: int, version: int, key: str) -> IssuedPair:
        path = f"/v1/apps/{app_id}/keys/{pair_id}/regenerate"
        headers = quoted(version) | {"idempotency-key": key}
        return await self.calls.read(IssuedPair, path, method="POST", json={"overlap_seconds": overlap_seconds}, headers=headers)

    async def finish_rotation(self, app_id: str, pair_id: str) -> Pair:
        return await self.calls.read(Pair, f"/v1/apps/{app_id}/keys/{pair_id}/rotation/finish", method="POST")

    async def roll_back(self, app_id: str, pair_id: str) -> Pair:
        return await self.calls.read(Pair, f"/v1/apps/{app_id}/keys/{pair_id}/rotation/rollback", method="POST")

    async def disable(self, app_id: str, pair_id: str) -> Pair:
        return await self.calls.read(Pair, f"/v1/apps/{app_id}/keys/{pair_id}/disable", method="POST")

    async def enable(self, app_id: str, pair_id: str) -> Pair:
        return await self.calls.read(Pair, f"/v1/apps/{app_id}/keys/{pair_id}/enable", method="POST")

    async def revoke(self, app_id: str, pair_id: str, reason: str) -> Pair:
        return await self.calls.read(Pair, f"/v1/apps/{app_id}/keys/{pair_id}/revoke", method="POST", json={"reason": reason})
