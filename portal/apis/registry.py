"""The client of registry: the catalogue, subscriptions, apps and their logos, countries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx2

from portal.apis.calls import Calls, View, given, quoted


class Product(View):
    product_id: str
    name: str
    summary: str
    subscribed: bool


class Products(View):
    items: Sequence[Product]


class App(View):
    app_id: str
    name: str
    email: str
    address: str
    country: str
    state: str | None
    city: str | None
    postal_code: str
    phone: str | None
    status: str
    logo_hash: str | None
    registered_at: datetime
    version: int

    @property
    def enabled(self) -> bool:
        """Whether its keys may work."""
        return self.status == "active"


class Apps(View):
    items: Sequence[App]
    next_cursor: str | None


class TextRecord(View):
    name: str
    type: str
    value: str


class Domain(View):
    domain: str
    status: str
    record: TextRecord
    added_at: datetime
    verified_at: datetime | None


class Domains(View):
    items: Sequence[Domain]


class HistoryItem(View):
    version: int
    event: str
    actor: str
    at: datetime
    changed: Sequence[str]
    domain: str | None


class History(View):
    items: Sequence[HistoryItem]
    next_cursor: str | None


class Country(View):
    code: str
    name: str
    calling_code: str | None
    postal_code_pattern: str | None
    postal_code_example: str | None
    has_states: bool


class Countries(View):
    items: Sequence[Country]


class State(View):
    code: str
    name: str
    kind: str
    parent: str | None


class States(View):
    items: Sequence[State]


@dataclass(frozen=True, slots=True)
class Registry:
    """Apps, and what they are registered under."""

    calls: Calls

    async def catalog(self) -> Sequence[Product]:
        return (await self.calls.read(Products, "/v1/catalog")).items

    async def subscribe(self, product_id: str) -> None:
        await self.calls("POST", "/v1/subscriptions", json={"product_id": product_id})

    async def apps(self, *, q: str | None = None, sort: str | None = None, cursor: str | None = None, limit: int = 25) -> Apps:
        return await self.calls.read(Apps, "/v1/apps", params=given({"q": q, "sort": sort, "cursor": cursor, "limit": limit}))

    async def app(self, app_id: str) -> App:
        return await self.calls.read(App, f"/v1/apps/{app_id}")

    async def register(self, form: Mapping[str, Any], *, key: str) -> App:
        return await self.calls.read(App, "/v1/apps", method="POST", json=form, headers={"idempotency-key": key})

    async def change(self, app_id: str, form: Mapping[str, str | None], version: int) -> App:
        return await self.calls.read(App, f"/v1/apps/{app_id}", method="PATCH", json=form, headers=quoted(version))

    async def enable(self, app_id: str) -> App:
        return await self.calls.read(App, f"/v1/apps/{app_id}/enable", method="POST")

    async def disable(self, app_id: str) -> App:
        return await self.calls.read(App, f"/v1/apps/{app_id}/disable", method="POST")

    async def logo(self, app_id: str, etag: str | None) -> httpx2.Response:
        """The PNG, or 304 when the browser has it."""
        return await self.calls("GET", f"/v1/apps/{app_id}/logo", headers={"if-none-match": etag} if etag else None)

    async def domains(self, app_id: str) -> Sequence[Domain]:
        return (await self.calls.read(Domains, f"/v1/apps/{app_id}/domains")).items

    async def add_domain(self, app_id: str, domain: str, *, key: str) -> Domain:
        headers = {"idempotency-key": key}
        return await self.calls.read(Domain, f"/v1/apps/{app_id}/domains", method="POST", json={"domain": domain}, headers=headers)

    async def verify_domain(self, app_id: str, domain: str) -> Domain:
        """Takes up to three seconds, for the registry asks name servers."""
        return await self.calls.read(Domain, f"/v1/apps/{app_id}/domains/{quote(domain, safe='')}/verify", method="POST")

    async def remove_domain(self, app_id: str, domain: str) -> None:
        await self.calls("DELETE", f"/v1/apps/{app_id}/domains/{quote(domain, safe='')}")

    async def history(self, app_id: str, *, cursor: str | None = None, limit: int = 25) -> History:
        return await self.calls.read(History, f"/v1/apps/{app_id}/history", params=given({"cursor": cursor, "limit": limit}))

    async def countries(self) -> Sequence[Country]:
        return (await self.calls.read(Countries, "/v1/countries")).items

    async def states(self, country: str) -> Sequence[State]:
        return (await self.calls.read(States, f"/v1/countries/{country}/states")).items
