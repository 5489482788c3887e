"""What the commands need of the rest of the service: whose an address is, the texts of mails, and the limits they keep to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from services.identity.commands.limits import Limit
from shared.ids import new_id
from shared.store.records import Context, Mail


class Directory(Protocol):
    """The inline view of addresses."""

    async def find_account_id(self, email_digest: str) -> str | None:
        """The account that holds an address."""


class Letters(Protocol):
    """The texts that we mail: each method answers (subject, body)."""

    def verification(self, code: str) -> tuple[str, str]: ...
    def already_registered(self) -> tuple[str, str]: ...
    def reset(self, code: str) -> tuple[str, str]: ...
    def password_changed(self) -> tuple[str, str]: ...
    def erased(self) -> tuple[str, str]: ...


@dataclass(frozen=True, slots=True)
class AccessLimits:
    """How often an address of the network, and an account, may try to get in; and how many notices one mailbox gets."""

    per_ip: Limit
    per_account: Limit
    notices: Limit


def letter(to: object, text: tuple[str, str]) -> Sequence[Mail]:
    """One mail, or none when the address cannot be read any more."""
    return [Mail(new_id("mail"), to, *text)] if isinstance(to, str) else []


def about(context: Context, account_id: str, *, actor: str | None = None) -> Context:
    """The same request, on behalf of an account that is known only now."""
    return replace(context, tenant=account_id, actor=actor or context.actor)
