"""An account: how events change it, and what may be decided about its address, its profile, its sessions and its end."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from services.identity.domain import events
from services.identity.domain.errors import AccountGone, CodeRefused
from services.identity.domain.events import AccountEvent
from shared.personal import Erased

CODE_MINUTES: Final = 10
CODE_TRIES: Final = 5
CODES_A_DAY: Final = 10
DAY: Final = timedelta(days=1)
Text = str | Erased | None


class Status(StrEnum):
    """Where an account is in its life. Being locked passes by itself and is kept apart."""

    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"
    ACTIVE = "active"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Code:
    """A mailed code, as its digest, and how often something else was entered instead."""

    digest: str
    expires_at: datetime
    tries: int = 0

    def is_open(self, now: datetime) -> bool:
        """Whether it may still be entered."""
        return self.tries < CODE_TRIES and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Account:
    """One account. Personal fields read as Erased when the subject's key is gone."""

    account_id: str
    status: Status = Status.UNKNOWN
    email: Text = None
    email_digest: Text = None
    name: Text = None
    password_hash: Text = None
    contested: bool = False  # registered again with another password before anybody proved the address
    verification: Code | None = None
    reset: Code | None = None
    codes_sent: tuple[datetime, ...] = ()
    failures: int = 0
    lockouts: int = 0
    locked_until: datetime | None = None
    generation: int = 1
    registered_at: datetime | None = None

    def may_be_mailed(self, now: datetime) -> bool:
        """Whether another code may be sent today."""
        return len([sent for sent in self.codes_sent if sent > now - DAY]) < CODES_A_DAY


def evolve(account: Account, event: AccountEvent) -> Account:  # noqa: C901, PLR0911, PLR0912  # one case an event: the table is read as a whole
    match event:
        case events.AccountRegistered(email, email_digest, name, password_hash, registered_at):
            return replace(
                account, status=Status.UNVERIFIED, email=email, email_digest=email_digest, name=name, password_hash=password_hash,
                registered_at=registered_at,
            )  # fmt: skip
        case events.VerificationCodeSent(digest, sent_at, expires_at):
            return replace(_mailed(account, sent_at), verification=Code(digest, expires_at))
        case events.PasswordResetRequested(digest, sent_at, expires_at):
            return replace(_mailed(account, sent_at), reset=Code(digest, expires_at))
        case events.VerificationCodeRefused():
            return replace(account, verification=_tried(account.verification))
        case events.PasswordResetRefused():
            return replace(account, reset=_tried(account.reset))
        case events.AccountVerified():
            return replace(account, status=Status.ACTIVE, verification=None, contested=False)
        case events.PasswordChanged(password_hash):
            return replace(account, password_hash=password_hash, reset=None, contested=account.status is Status.UNVERIFIED)
        case events.PasswordWithdrawn():
            return replace(account, password_hash=None)
        case events.SignInFailed():
            return replace(account, failures=account.failures + 1)
        case events.AccountLocked(until):
            return replace(account, failures=0, lockouts=account.lockouts + 1, locked_until=until)
        case events.AccountUnlocked():
            return replace(account, locked_until=None)
        case events.SignInFailuresCleared():
            return replace(account, failures=0, lockouts=0)
        case events.ProfileChanged(name):
            return replace(account, name=name)
        case events.SessionsRevoked(generation, _):
            return replace(account, generation=generation or account.generation)
        case events.AccountErased():
            return Account(account.account_id, Status.ERASED, generation=account.generation + 1)
        case _:
            assert_never(event)


def _mailed(account: Account, now: datetime) -> Account:
    return replace(account, codes_sent=(*(sent for sent in account.codes_sent if sent > now - DAY), now))


def _tried(code: Code | None) -> Code | None:
    return None if code is None else replace(code, tries=code.tries + 1)


def unique(account: Account, event: AccountEvent) -> Iterable[str]:
    """The address that an event takes or gives up."""
    match event:
        case events.AccountRegistered(email_digest=str(digest)):
            return [f"email:{digest}"]
        case events.AccountErased() if isinstance(account.email_digest, str):
            return [f"email:{account.email_digest}"]
        case _:
            return []


def register(
    account: Account, *, email: str, email_digest: str, name: str, password_hash: str, same_as: object, code_digest: str, now: datetime
) -> list[AccountEvent]:
    """Take a free address, or begin again with one that nobody has verified; the owner of a verified one only gets a mail."""
    sent = events.VerificationCodeSent(code_digest, now, code_ends(now))
    match account.status:
        case Status.UNKNOWN:
            return [events.AccountRegistered(email, email_digest, name, password_hash, now), sent]
        case Status.UNVERIFIED if account.may_be_mailed(now):
            # `same_as` is the hash that the password was found to match.
            other: list[AccountEvent] = [] if same_as == account.password_hash else [events.PasswordChanged(password_hash)]
            renamed: list[AccountEvent] = [] if account.name == name else [events.ProfileChanged(name)]
            return [*other, *renamed, sent]
        case Status.UNVERIFIED | Status.ACTIVE | Status.ERASED:
            return []
        case _:
            assert_never(account.status)


def resend(account: Account, *, code_digest: str, now: datetime) -> list[AccountEvent]:
    """Replace the code of an address that waits to be verified."""
    if account.status is not Status.UNVERIFIED or not account.may_be_mailed(now):
        return []
    return [events.VerificationCodeSent(code_digest, now, code_ends(now))]


def verify(account: Account, *, code_digest: str, now: datetime) -> list[AccountEvent]:
    """Believe that the address is the owner's. A wrong code is an event, because five of them end the code."""
    code = account.verification
    if account.status is not Status.UNVERIFIED or code is None or not code.is_open(now):
        raise CodeRefused
    if code.digest != code_digest:
        return [events.VerificationCodeRefused()]
    # The code proves who reads the mails, not who chose the password: where several were chosen, none counts but the owner's next one.
    return [events.AccountVerified(now), *([events.PasswordWithdrawn()] if account.contested else [])]


def rename(account: Account, *, name: str) -> list[AccountEvent]:
    """Change the name that is shown."""
    require_present(account)
    return [] if account.name == name else [events.ProfileChanged(name)]


def revoke_session(account: Account, *, session_id: str) -> list[AccountEvent]:
    """Tell everybody that one session's tokens are no good."""
    return [] if account.status is Status.ERASED else [events.SessionsRevoked(session_id=session_id)]


def revoke_all(account: Account) -> list[AccountEvent]:
    """Sign out everywhere: tokens of this generation are no good any more."""
    require_present(account)
    return [events.SessionsRevoked(generation=account.generation + 1)]


def erase(account: Account, *, now: datetime) -> list[AccountEvent]:
    """End the account for ever; erasing twice changes nothing."""
    return [] if account.status in {Status.ERASED, Status.UNKNOWN} else [events.AccountErased(now)]


def require_present(account: Account) -> None:
    """Raises AccountGone for one that was erased or never was."""
    if account.status in {Status.ERASED, Status.UNKNOWN}:
        raise AccountGone


def code_ends(now: datetime) -> datetime:
    """When a code that is sent now is no good any more."""
    return now + timedelta(minutes=CODE_MINUTES)
