"""A signed-in person in front of the registry."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.registry.builders import a_form
from tests.tokens import person


@dataclass(frozen=True)
class Owner:
    """Sends requests as this account."""

    http: httpx2.AsyncClient
    account_id: str

    async def call(self, method: str, path: str, **rest: Any) -> httpx2.Response:
        """One request."""
        headers = person(self.account_id) | rest.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **rest)

    async def subscribe(self) -> str:
        """To the payments product; answers the subscription's id."""
        answer = await self.call("POST", "/v1/subscriptions", json={"product_id": "latchkey-pay"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["subscription_id"])

    async def add(self, name: str = "Corner Shop", **changes: object) -> dict[str, Any]:
        """An app."""
        answer = await self.call("POST", "/v1/apps", json=a_form(name=name, **changes))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def get(self, app_id: str) -> dict[str, Any]:
        """An app as it is now."""
        answer = await self.call("GET", f"/v1/apps/{app_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def domains(self, app_id: str) -> list[dict[str, Any]]:
        """The domains of an app as the list shows them."""
        answer = await self.call("GET", f"/v1/apps/{app_id}/domains")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def names(self, **query: Any) -> list[str]:
        """The names of the apps that the list shows."""
        answer = await self.call("GET", "/v1/apps", params=query)
        assert answer.status_code == 200, answer.text
        return [item["name"] for item in answer.json()["items"]]


def refused(answer: httpx2.Response, status: int, code: str, *pointers: str) -> None:
    """Assert that this is a problem document with this status and code, about exactly these fields."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == list(pointers)
