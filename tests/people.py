"""A developer as the journeys play one: every step a real call, every answer checked by whoever calls."""

import asyncio
import email
import email.policy
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx2


class Installed(Protocol):
    """A product wherever it runs: base addresses by service, a service client, and what lies behind for who looks there."""

    @property
    def at(self) -> Mapping[str, str]: ...

    @property
    def machine(self) -> Mapping[str, Any]: ...

    @property
    def stack(self) -> Any: ...

    @property
    def services(self) -> Mapping[str, Any]: ...


FORM = {
    "name": "Corner Shop", "email": "shop@example.com", "address": "1 High Street", "country": "GB", "postal_code": "SW1A 1AA",
}  # fmt: skip


@dataclass
class Developer:
    """Somebody with a browser; `token` is set once signed in."""

    product: Installed
    http: httpx2.AsyncClient
    email: str = field(default_factory=lambda: f"dev-{secrets.token_hex(6)}@example.com")
    password: str = field(default_factory=lambda: f"correct-horse-{secrets.token_hex(8)}")
    token: str = ""
    account_id: str = ""

    async def call(self, method: str, service: str, path: str, **rest: Any) -> httpx2.Response:
        """One request as this developer."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= rest.pop("headers", {})
        return await self.http.request(method, self.product.at[service] + path, headers=headers, **rest)

    async def register(self) -> None:
        """An account, verified."""
        account = {"email": self.email, "password": self.password, "name": "Dev"}
        taken = await self.call("POST", "identity", "/v1/accounts", json=account)
        assert taken.status_code == 202, f"{taken.status_code} {taken.text}"
        code = await mailed_code(self.product.stack.mail_directory, self.email)
        verified = await self.call("POST", "identity", "/v1/accounts/verify", json={"email": self.email, "code": code})
        assert verified.status_code == 200, verified.text

    async def sign_in(self) -> httpx2.Response:
        """A session."""
        answer = await self.call("POST", "identity", "/v1/sessions", json={"email": self.email, "password": self.password})
        if answer.status_code == 201:
            self.token, self.account_id = answer.json()["access_token"], answer.json()["account_id"]
        return answer

    async def subscribe(self) -> None:
        """To the payments product."""
        [product] = (await self.call("GET", "registry", "/v1/catalog")).json()["items"]
        answer = await self.call("POST", "registry", "/v1/subscriptions", json={"product_id": product["product_id"]})
        assert answer.status_code == 201, answer.text

    async def add_app(self, **changes: Any) -> dict[str, Any]:
        """An app; each with a name of its own unless one is given."""
        answer = await self.call("POST", "registry", "/v1/apps", json=FORM | {"name": f"Shop {secrets.token_hex(4)}"} | changes)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def generate(self, app_id: str, environment: str = "live") -> dict[str, Any]:
        """A pair of keys, with its secret."""
        answer = await self.call("POST", "keys", f"/v1/apps/{app_id}/keys", json={"environment": environment})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def everything(self, patience: float = 0) -> tuple[dict[str, Any], dict[str, Any]]:
        """From nothing to an app with keys; with `patience`, the seconds that keys may need to hear of the app after Kafka was away."""
        await self.register()
        assert (await self.sign_in()).status_code == 201
        await self.subscribe()
        app = await self.add_app()
        await self.heard("keys", f"/v1/apps/{app['app_id']}/keys", patience)
        return app, await self.generate(app["app_id"])

    async def sees(self, app_id: str, patience: float) -> bool:
        """Whether metrics has heard of the app within these seconds."""
        return await self.heard("metrics", f"/v1/apps/{app_id}/overview", patience)

    async def heard(self, service: str, path: str, patience: float) -> bool:
        """Whether a service answers for something that it hears of over Kafka, within these seconds."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if (await self.call("GET", service, path)).status_code == 200:
                return True
            await asyncio.sleep(0.1)
        return False

    async def verdict(self, key: str, **asked: str) -> str:
        """What the keys service says of a key to a machine of the platform."""
        token = await self.machine_token()
        answer = await self.http.post(
            f"{self.product.at['keys']}/v1/keys/verify", json={"key": key, **asked}, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200, answer.text
        code: str = answer.json()["code"]
        return code

    async def machine_token(self) -> str:
        """A service token."""
        machine = self.product.machine
        answer = await self.http.post(f"{self.product.at['identity']}/v1/service-tokens", auth=(machine["id"], machine["secret"]))
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    async def record(self, secret: str, *transactions: dict[str, Any]) -> httpx2.Response:
        """A batch of transactions, as the shop's server."""
        url = f"{self.product.at['metrics']}/v1/transactions"
        return await self.http.post(url, auth=(secret, ""), json={"transactions": list(transactions)})

    async def overview(self, app_id: str, **filters: str) -> dict[str, Any]:
        """App Overview."""
        answer = await self.call("GET", "metrics", f"/v1/apps/{app_id}/overview", params={"tz": "UTC"} | filters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def mailed_code(folder: Path, address: str, after: int = 0) -> str:
    """The six digits of the newest mail to an address, once it got more than `after` mails."""
    for _ in range(400):
        texts = _mails(folder, address)
        for text in texts if len(texts) > after else ():
            found = re.search(r"\b(\d{6})\b", text)
            if found:
                return found[1]
        await asyncio.sleep(0.05)
    raise AssertionError(f"no mail for {address}")


def _mails(folder: Path, address: str) -> list[str]:
    texts = []
    for file in sorted(folder.glob("*.eml"), key=lambda file: file.stat().st_mtime, reverse=True):
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        body = mail.get_body()
        if address in str(mail["to"]) and body is not None:
            texts.append(str(body.get_content()))
    return texts


def transaction(number: int, **changes: Any) -> dict[str, Any]:
    """A transaction of 1.00 EUR."""
    return {"transaction_id": f"t-{number}", "amount": "1.00", "currency": "EUR", "status": "succeeded"} | changes
