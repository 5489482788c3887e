"""The developer's side of the guide: an account, a subscription, an app with a logo, its keys."""

import io
import secrets
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageDraw

from demo.calls import Calls, Endpoints, code_mailed_to
from demo.story import Story

APP = {
    "name": "CDNOW Music Shop",
    "email": "payments@cdnow.example",
    "address": "1005 Virginia Drive",
    "phone": "+1 215 619 9900",
    "country": "US",
    "state": "US-PA",
    "city": "Fort Washington",
    "postal_code": "19034",
}


@dataclass
class Developer:
    """Who registers, signs in and owns the app."""

    calls: Calls
    at: Endpoints
    story: Story
    email: str = field(default_factory=lambda: f"jason.{secrets.token_hex(4)}@cdnow.example")
    password: str = field(default_factory=lambda: f"vinyl-{secrets.token_urlsafe(12)}")
    token: str = ""
    account_id: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        """The header that says who asks."""
        return {"Authorization": f"Bearer {self.token}"}

    async def register(self) -> None:
        """An account, proven by the code in the mail."""
        account = {"email": self.email, "password": self.password, "name": "Jason"}
        await self.calls("POST", f"{self.at.identity}/v1/accounts", json=account, expect=202)
        self.story.say(f"POST /v1/accounts → 202 for {self.email}; it would say the same for an address that exists")
        code = await code_mailed_to(self.email, self.at.mail)
        self.story.say(f"the mail says {code}")
        await self.calls("POST", f"{self.at.identity}/v1/accounts/verify", json={"email": self.email, "code": code}, expect=200)

    async def sign_in(self) -> None:
        """A session and its first access token."""
        credentials = {"email": self.email, "password": self.password}
        session = (await self.calls("POST", f"{self.at.identity}/v1/sessions", json=credentials, expect=201)).json()
        self.token, self.account_id = session["access_token"], session["account_id"]
        self.story.say(f"signed in as {self.account_id}, for {session['expires_in']} seconds at a time")

    async def subscribe(self) -> None:
        """Take the payments product from the catalogue."""
        catalog = (await self.calls("GET", f"{self.at.registry}/v1/catalog", headers=self.bearer, expect=200)).json()
        [product] = [item for item in catalog["items"] if item["name"] == "Latchkey Pay"]
        body = {"product_id": product["product_id"]}
        await self.calls("POST", f"{self.at.registry}/v1/subscriptions", headers=self.bearer, json=body, expect=201)
        self.story.say(f"subscribed to {product['name']}: {product['summary']}")

    async def be_refused(self) -> None:
        """Send a form with several mistakes and show the one answer that names them all."""
        wrong = APP | {"name": "CD", "email": "payments at cdnow", "phone": "215 619 9900", "state": "DE-BY", "postal_code": "SW1A 1AA"}
        answer = await self.calls("POST", f"{self.at.registry}/v1/apps", headers=self.bearer, json=wrong, expect=422)
        self.story.show("422 application/problem+json", answer.json())

    async def register_app(self) -> dict[str, Any]:
        """The app and its logo; the same form sent twice makes one app."""
        headers = self.bearer | {"Idempotency-Key": secrets.token_hex(8)}
        form = [await self.calls("POST", f"{self.at.registry}/v1/apps", headers=headers, json=APP, expect=201) for _ in range(2)]
        app, again = (answer.json() for answer in form)
        self.story.check("a double click makes one app", again["app_id"], app["app_id"])
        logo = {"Content-Type": "image/png"} | self.bearer
        url = f"{self.at.registry}/v1/apps/{app['app_id']}/logo"
        await self.calls("PUT", url, headers=logo, content=_logo(), expect=(200, 201, 204))
        self.story.say(f"{app['name']} is {app['app_id']}, {app['status']}, with a logo")
        found: dict[str, Any] = app
        return found

    async def generate_keys(self, app_id: str) -> dict[str, Any]:
        """A pair; the secret is in this answer and nowhere else."""
        url = f"{self.at.keys}/v1/apps/{app_id}/keys"
        pair: dict[str, Any] = (await self.calls("POST", url, headers=self.bearer, json={"environment": "live"}, expect=201)).json()
        self.story.say(f"Public API Key  {pair['public_key']}")
        self.story.say(f"Secret API Key  {pair['secret_key'][:11]}{'•' * 41}{pair['secret_key'][-4:]}")
        second = await self.calls("GET", f"{url}/{pair['pair_id']}/secret", headers=self.bearer, expect=410)
        self.story.say(f"a second look: 410 {second.json()['code']}")
        return pair

    async def regenerate(self, app_id: str, pair_id: str) -> dict[str, Any]:
        """A new pair; the old one ends with this answer."""
        url = f"{self.at.keys}/v1/apps/{app_id}/keys/{pair_id}"
        etag = (await self.calls("GET", url, headers=self.bearer, expect=200)).headers["ETag"]
        headers = self.bearer | {"If-Match": etag}
        answer = await self.calls("POST", f"{url}/regenerate", headers=headers, json={"overlap_seconds": 0}, expect=201)
        pair: dict[str, Any] = answer.json()
        return pair


def _logo() -> bytes:
    image = Image.new("RGB", (256, 256), "#101828")
    draw = ImageDraw.Draw(image)
    draw.ellipse((24, 24, 232, 232), fill="#d0d5dd")
    draw.ellipse((104, 104, 152, 152), fill="#101828")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
