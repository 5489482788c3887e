"""What the commands need of the rest of the service: whose an address is, the texts of mails, and the limits they keep to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from services.identity.commands.hashing import Passwords
from services.identity.commands.limits import Limit, Limits, network_of
from services.identity.commands.secrets import Digests
from services.identity.domain.account import Code
from shared.ids import new_id
from shared.store.records import Context, Mail


class Directory(Protocol):
    """The inline view of addresses."""

    async def find_account_id(self, email_digest: str) -> str | None:
        """The account that holds an address."""


class Letters(Protocol):
    """The texts that we mail: each method answers (subject, body)."""

    def verification(self, code: str, *, contested: bool) -> tuple[str, str]: ...
    def already_registered(self) -> tuple[str, str]: ...
    def reset(self, code: str) -> tuple[str, str]: ...
    def password_changed(self) -> tuple[str, str]: ...
    def erased(self) -> tuple[str, str]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What everything that strangers ask for goes over: who is meant, how often they may ask, what is hashed and mailed."""

    directory: Directory
    passwords: Passwords
    digests: Digests
    letters: Letters
    limits: Limits
    per_ip: Limit
    per_account: Limit
    notices: Limit
    new_passwords: Limit

    async def find(self, email: str) -> str | None:
        """The account of an address."""
        return await self.directory.find_account_id(self.digests.email(email))

    async def count(self, what: str, ip: str, *, email: str | None = None) -> None:
        """Count an attempt at something from an address of the network, and on an account. Raises TooManyAttempts."""
        await self.limits.require(self.per_ip, f"{what}/{network_of(ip)}")
        if email is not None:
            await self.limits.require(self.per_account, f"{what}/{self.digests.email(email)}")

    async def count_new_password(self, who: str) -> None:
        """Count a password that is to be judged, which takes longer than anything else here. Raises TooManyAttempts."""
        await self.limits.require(self.new_passwords, f"new-password/{who}")


def code_letter(waiting: Code | None, digest: str, to: object, text: tuple[str, str]) -> Sequence[Mail]:
    """The mail with a code, when that is the code which waits to be entered now."""
    return letter(to, text) if waiting is not None and waiting.digest == digest else ()


def letter(to: object, text: tuple[str, str]) -> Sequence[Mail]:
    """One mail, or none when the address cannot be read any more."""
    return (Mail(new_id("mail"), to, *text),) if isinstance(to, str) else ()


def about(context: Context, account_id: str, *, actor: str | None = None) -> Context:
    """The same request, on behalf of an account that is known only now."""
    return replace(context, tenant=account_id, actor=actor or context.actor)
