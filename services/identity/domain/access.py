"""What may be decided about getting into an account: signing in, its locks, and its password."""

from datetime import datetime, timedelta
from typing import Final, assert_never

from services.identity.domain import events
from services.identity.domain.account import Account, Status, code_ends, require_present
from services.identity.domain.errors import AccountUnverified, CodeRefused, PasswordTooWeak, PasswordWrong, SignInRefused
from services.identity.domain.events import AccountEvent
from shared.errors import FieldError

FAILURES: Final = 5
LONGEST_LOCK: Final = 60  # minutes
STRONG: Final = 3  # of zxcvbn's scores 0–4


def is_locked(account: Account, now: datetime) -> bool:
    """Whether nobody gets in at the moment, not even with the right password."""
    return account.locked_until is not None and now < account.locked_until


def admit(account: Account, *, now: datetime) -> list[AccountEvent]:
    """The password was right: forget the failures before it. Raises SignInRefused while locked, AccountUnverified."""
    if is_locked(account, now):
        raise SignInRefused
    match account.status:
        case Status.ACTIVE:
            cleared: list[AccountEvent] = [events.SignInFailuresCleared()] if account.failures or account.lockouts else []
            return [*_unlocked(account), *cleared]
        case Status.UNVERIFIED:
            raise AccountUnverified
        case Status.UNKNOWN | Status.ERASED:
            raise SignInRefused
        case _:
            assert_never(account.status)


def reject(account: Account, *, now: datetime) -> list[AccountEvent]:
    """The password was wrong: five in a row lock for 1, 2, 4 … 60 minutes; while locked nothing more is written down."""
    if account.status in {Status.UNKNOWN, Status.ERASED} or is_locked(account, now):
        return []
    failed = [*_unlocked(account), events.SignInFailed()]
    if account.failures + 1 < FAILURES:
        return failed
    return [*failed, events.AccountLocked(now + timedelta(minutes=min(2**account.lockouts, LONGEST_LOCK)))]


def request_reset(account: Account, *, code_digest: str, now: datetime) -> list[AccountEvent]:
    """Mail a code that lets its reader choose a new password."""
    if account.status not in {Status.UNVERIFIED, Status.ACTIVE} or not account.may_be_mailed(now):
        return []
    return [events.PasswordResetRequested(code_digest, now, code_ends(now))]


def opens_reset(account: Account, *, code_digest: str, now: datetime) -> bool:
    """Whether this is the code that was mailed and is still good."""
    return account.reset is not None and account.reset.is_open(now) and account.reset.digest == code_digest


def reset_password(account: Account, *, code_digest: str, password_hash: str, now: datetime) -> list[AccountEvent]:
    """Choose a new password with a mailed code. The code also proves the address and ends a lock; every session ends."""
    if account.reset is None or not account.reset.is_open(now):
        raise CodeRefused
    if not opens_reset(account, code_digest=code_digest, now=now):
        return [events.PasswordResetRefused()]
    proven: list[AccountEvent] = [events.AccountVerified(now)] if account.status is Status.UNVERIFIED else []
    cleared: list[AccountEvent] = [events.SignInFailuresCleared()] if account.failures or account.lockouts else []
    return [*proven, *_unlocked(account), *cleared, *_new_password(account, password_hash)]


def change_password(account: Account, *, checked: object, password_hash: str, now: datetime) -> list[AccountEvent]:
    """Who knew the password of the hash `checked` gets a new one. Raises PasswordWrong while locked, or when the hash is another by now."""
    require_present(account)
    if is_locked(account, now) or account.password_hash != checked:
        raise PasswordWrong
    return _new_password(account, password_hash)


def require_strong(score: int, pointer: str, advice: str) -> None:
    """Raises PasswordTooWeak, at the field `pointer`, for a zxcvbn score below 3."""
    if score < STRONG:
        raise PasswordTooWeak(errors=(FieldError(pointer, PasswordTooWeak.code, advice),))


def _unlocked(account: Account) -> list[AccountEvent]:
    return [events.AccountUnlocked()] if account.locked_until is not None else []


def _new_password(account: Account, password_hash: str) -> list[AccountEvent]:
    return [events.PasswordChanged(password_hash), events.SessionsRevoked(generation=account.generation + 1)]
