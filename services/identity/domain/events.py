"""What can happen to accounts, sessions and service clients, as the log keeps it. Times are facts that later decisions need."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from shared.personal import Personal


class SessionEnd(StrEnum):
    """Why a session ended."""

    SIGNED_OUT = "signed_out"
    TOKEN_REUSED = "token_reused"  # noqa: S105  # a reason, not a secret


@dataclass(frozen=True, slots=True)
class AccountRegistered:
    """The digest of the address is sealed too, so that nobody can confirm a guessed address once the account is erased."""

    email: Personal[str]
    email_digest: Personal[str]
    name: Personal[str]
    password_hash: Personal[str]
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class VerificationCodeSent:
    code_digest: str
    sent_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class VerificationCodeRefused:
    pass


@dataclass(frozen=True, slots=True)
class AccountVerified:
    verified_at: datetime


@dataclass(frozen=True, slots=True)
class PasswordChanged:
    password_hash: Personal[str]


@dataclass(frozen=True, slots=True)
class PasswordWithdrawn:
    """The account has no password until its owner chooses one with a mailed code."""


@dataclass(frozen=True, slots=True)
class PasswordResetRequested:
    code_digest: str
    sent_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PasswordResetRefused:
    pass


@dataclass(frozen=True, slots=True)
class SignInFailed:
    pass


@dataclass(frozen=True, slots=True)
class AccountLocked:
    until: datetime


@dataclass(frozen=True, slots=True)
class AccountUnlocked:
    pass


@dataclass(frozen=True, slots=True)
class SignInFailuresCleared:
    """The owner signed in: the next lock is the shortest again."""


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    name: Personal[str]


@dataclass(frozen=True, slots=True)
class SessionsRevoked:
    """One session ended, or all whose generation is below the one given."""

    generation: int | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class AccountErased:
    erased_at: datetime


AccountEvent = (
    AccountRegistered
    | VerificationCodeSent
    | VerificationCodeRefused
    | AccountVerified
    | PasswordChanged
    | PasswordWithdrawn
    | PasswordResetRequested
    | PasswordResetRefused
    | SignInFailed
    | AccountLocked
    | AccountUnlocked
    | SignInFailuresCleared
    | ProfileChanged
    | SessionsRevoked
    | AccountErased
)


@dataclass(frozen=True, slots=True)
class SessionStarted:
    account_id: str
    generation: int
    token_digest: str
    ip: Personal[str]
    device: Personal[str]
    started_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRefreshed:
    account_id: str
    token_digest: str
    ip: Personal[str]
    device: Personal[str]
    refreshed_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshReused:
    """A refresh token came back after its successor: it was stolen, or its successor was."""

    reused_at: datetime


@dataclass(frozen=True, slots=True)
class SessionEnded:
    reason: SessionEnd
    ended_at: datetime


SessionEvent = SessionStarted | SessionRefreshed | RefreshReused | SessionEnded


@dataclass(frozen=True, slots=True)
class ServiceClientAdded:
    """A digest of 256 random bits needs no salt and no slow hash."""

    name: str
    scopes: tuple[str, ...]
    secret_digest: str


@dataclass(frozen=True, slots=True)
class ServiceClientRevoked:
    pass


ServiceClientEvent = ServiceClientAdded | ServiceClientRevoked
IdentityEvent = AccountEvent | SessionEvent | ServiceClientEvent

STORED: Final[Mapping[str, tuple[type[Any], int]]] = {
    "identity.AccountRegistered": (AccountRegistered, 1),
    "identity.VerificationCodeSent": (VerificationCodeSent, 1),
    "identity.VerificationCodeRefused": (VerificationCodeRefused, 1),
    "identity.AccountVerified": (AccountVerified, 1),
    "identity.PasswordChanged": (PasswordChanged, 1),
    "identity.PasswordWithdrawn": (PasswordWithdrawn, 1),
    "identity.PasswordResetRequested": (PasswordResetRequested, 1),
    "identity.PasswordResetRefused": (PasswordResetRefused, 1),
    "identity.SignInFailed": (SignInFailed, 1),
    "identity.AccountLocked": (AccountLocked, 1),
    "identity.AccountUnlocked": (AccountUnlocked, 1),
    "identity.SignInFailuresCleared": (SignInFailuresCleared, 1),
    "identity.ProfileChanged": (ProfileChanged, 1),
    "identity.SessionsRevoked": (SessionsRevoked, 1),
    "identity.AccountErased": (AccountErased, 1),
    "identity.SessionStarted": (SessionStarted, 1),
    "identity.SessionRefreshed": (SessionRefreshed, 1),
    "identity.RefreshReused": (RefreshReused, 1),
    "identity.SessionEnded": (SessionEnded, 1),
    "identity.ServiceClientAdded": (ServiceClientAdded, 1),
    "identity.ServiceClientRevoked": (ServiceClientRevoked, 1),
}
