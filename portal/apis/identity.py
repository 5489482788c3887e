"""The client of identity: accounts, sessions, passwords."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.apis.calls import Calls, View, quoted


class Account(View):
    account_id: str
    email: str
    name: str
    verified: bool
    registered_at: datetime
    version: int


class Verified(View):
    password_withdrawn: bool = False


class SignedIn(View):
    access_token: str
    refresh_token: str
    expires_in: int
    session_id: str
    account_id: str


class OpenSession(View):
    session_id: str
    ip: str
    device: str
    started_at: datetime
    used_at: datetime
    expires_at: datetime
    current: bool


class Sessions(View):
    items: Sequence[OpenSession]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is."""

    calls: Calls

    async def register(self, *, email: str, password: str, name: str) -> None:
        await self.calls("POST", "/v1/accounts", json={"email": email, "password": password, "name": name})

    async def verify(self, *, email: str, code: str) -> Verified:
        return await self.calls.read(Verified, "/v1/accounts/verify", method="POST", json={"email": email, "code": code})

    async def resend(self, email: str) -> None:
        await self.calls("POST", "/v1/accounts/resend", json={"email": email})

    async def sign_in(self, *, email: str, password: str) -> SignedIn:
        return await self.calls.read(SignedIn, "/v1/sessions", method="POST", json={"email": email, "password": password})

    async def refresh(self, refresh_token: str) -> SignedIn:
        """A page waits for this as for a read. When it is cut short, the same token gets the same successor for ten seconds."""
        body, seconds = {"refresh_token": refresh_token}, self.calls.read_seconds
        return await self.calls.read(SignedIn, "/v1/sessions/refresh", method="POST", json=body, seconds=seconds)

    async def account(self) -> Account:
        return await self.calls.read(Account, "/v1/account")

    async def rename(self, name: str, version: int) -> Account:
        return await self.calls.read(Account, "/v1/account", method="PATCH", json={"name": name}, headers=quoted(version))

    async def sessions(self, cursor: str | None = None) -> Sessions:
        return await self.calls.read(Sessions, "/v1/sessions", params={"limit": 50} | ({"cursor": cursor} if cursor else {}))

    async def end_session(self, session_id: str) -> None:
        await self.calls("DELETE", f"/v1/sessions/{session_id}")

    async def end_all_sessions(self) -> None:
        await self.calls("DELETE", "/v1/sessions")

    async def forgot_password(self, email: str) -> None:
        await self.calls("POST", "/v1/password/forgot", json={"email": email})

    async def reset_password(self, *, email: str, code: str, password: str) -> None:
        await self.calls("POST", "/v1/password/reset", json={"email": email, "code": code, "password": password})

    async def change_password(self, *, current: str, new: str) -> None:
        await self.calls("POST", "/v1/password/change", json={"current_password": current, "new_password": new})
