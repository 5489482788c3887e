"""What others hear of an account: that it came, was proven, signed out, and went. No name, no address, no digest of one."""

from collections.abc import Sequence
from typing import assert_never

from latchkey.events import PublicEvent
from latchkey.events import identity as public
from latchkey.states import encode_state
from latchkey.topics import IDENTITY_ERASURE_STATE

from services.identity.domain import events
from services.identity.domain.account import Account
from services.identity.domain.events import AccountEvent
from shared.store.records import State

ERASURE_KIND = "identity.Erasure.v1"


def publish(event: AccountEvent, account: Account) -> PublicEvent | None:  # noqa: PLR0911  # one case an event: the table is read as a whole
    """The public form of an event, or None for what is nobody else's business."""
    match event:
        case events.AccountRegistered(registered_at=registered_at):
            return public.AccountRegistered(account_id=account.account_id, registered_at=registered_at)
        case events.AccountVerified():
            return public.AccountVerified(account_id=account.account_id)
        case events.SessionsRevoked(generation, session_id):
            return public.SessionsRevoked(account_id=account.account_id, generation=generation, session_id=session_id)
        case events.AccountErased():
            return public.AccountErased(account_id=account.account_id)
        case (
            events.VerificationCodeSent()
            | events.VerificationCodeRefused()
            | events.PasswordChanged()
            | events.PasswordWithdrawn()
            | events.ProfileChanged()
        ):
            return None
        case events.PasswordResetRequested() | events.PasswordResetRefused() | events.AccountLocked() | events.AccountUnlocked():
            return None
        case events.PasswordChanged() | events.PasswordWithdrawn() | events.SignInFailed() | events.SignInFailuresCleared():
            return None
        case _:
            assert_never(event)


def states(event: AccountEvent, account: Account, streamversion: int) -> Sequence[State]:
    """An erasure is kept for ever on its compacted topic, so that a service restored from a backup erases again before it serves."""
    if not isinstance(event, events.AccountErased):
        return ()
    data = {"account_id": account.account_id, "erased_at": event.erased_at.isoformat()}
    return (State(IDENTITY_ERASURE_STATE, encode_state(ERASURE_KIND, account.account_id, streamversion, data)),)
