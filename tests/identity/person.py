"""Somebody who uses identity over HTTP, and reads the mails that wait in its outbox."""

import re
import secrets
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import asyncpg
import httpx2

from services.identity.settings import Settings
from shared.http.app import ServiceApp
from shared.store.mailbox import Mailbox
from shared.store.postgres import mail_cipher
from shared.store.records import Mail

PASSWORD = "correct-horse-battery-staple-7"


@dataclass
class Person:
    """An account and what is needed to act as its owner."""

    email: str
    password: str = PASSWORD
    account_id: str = ""
    session_id: str = ""
    access_token: str = ""
    refresh_token: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        """The Authorization header."""
        return {"authorization": f"Bearer {self.access_token}"}


class Identity:
    """The service's app, a client of it, and a look into its database as the owner."""

    def __init__(self, app: ServiceApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://identity")

    async def __aenter__(self) -> Self:
        self.db = await asyncpg.create_pool(self.settings.owner_database_url, min_size=1, max_size=2)
        self._app_pool = await asyncpg.create_pool(self.settings.database_url, min_size=1, max_size=1)
        self.outbox = Mailbox(self._app_pool, mail_cipher(self.settings.master_key))
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        await self.http.aclose()
        await self._app_pool.close()
        await self.db.close()

    async def post(self, path: str, body: dict[str, Any] | None = None, by: Person | None = None, **headers: str) -> httpx2.Response:
        """POST JSON; underscores in the names of headers stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | (by.bearer if by else {})
        return await self.http.post(path, json=body, headers=sent)

    async def get(self, path: str, by: Person) -> httpx2.Response:
        """GET as this person."""
        return await self.http.get(path, headers=by.bearer)

    async def delete(self, path: str, by: Person) -> httpx2.Response:
        """DELETE as this person."""
        return await self.http.delete(path, headers=by.bearer)

    async def mails(self) -> list[Mail]:
        """Take all waiting mails out of the outbox, oldest first."""
        taken: list[Mail] = []
        while True:
            async with self.outbox.next() as mail:
                if mail is None:
                    return taken
                taken.append(mail)

    async def mailed_code(self) -> str:
        """The six digits of the newest waiting mail."""
        found = re.search(r"\b(\d{6})\b", (await self.mails())[-1].body)
        assert found
        return found[1]

    async def register(self, email: str | None = None, name: str = "Ann Example", password: str = PASSWORD) -> Person:
        """An account that waits for its code."""
        person = Person(email or f"ann-{secrets.token_hex(6)}@example.com", password)
        answer = await self.post("/v1/accounts", {"email": person.email, "password": person.password, "name": name})
        assert answer.status_code == 202, answer.text
        return person

    async def verified(self, email: str | None = None, name: str = "Ann Example") -> Person:
        """An account whose address is proven."""
        person = await self.register(email, name)
        answer = await self.post("/v1/accounts/verify", {"email": person.email, "code": await self.mailed_code()})
        assert answer.status_code == 200, answer.text
        person.account_id = answer.json()["account_id"]
        return person

    async def sign_in(self, person: Person) -> Person:
        """The same person with a session of her own."""
        answer = await self.try_to_sign_in(person.email, person.password)
        assert answer.status_code == 201, answer.text
        got = answer.json()
        return Person(person.email, person.password, got["account_id"], got["session_id"], got["access_token"], got["refresh_token"])

    async def try_to_sign_in(self, email: str, password: str) -> httpx2.Response:
        """Whatever comes of it."""
        return await self.post("/v1/sessions", {"email": email, "password": password}, user_agent="Firefox/140")

    async def signed_in(self) -> Person:
        """From nothing to a session."""
        return await self.sign_in(await self.verified())

    async def events(self, stream_id: str | None = None) -> list[str]:
        """Stored types of a stream, or of the whole log, without the service's name."""
        rows = await self.db.fetch("SELECT type FROM es.events WHERE $1::text IS NULL OR stream_id = $1 ORDER BY position", stream_id)
        return [row["type"].removeprefix("identity.") for row in rows]


def said(answer: httpx2.Response) -> tuple[int, dict[str, Any], set[str]]:
    """Everything of an answer that a stranger can compare: status, body without the request's own id, names of headers."""
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    return answer.status_code, body, set(answer.headers)
