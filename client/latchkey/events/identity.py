"""What identity publishes about accounts. No name, no address: an account is its id."""

from typing import Annotated, ClassVar

from pydantic import Field

from latchkey.events.public import AccountId, Instant, PublicEvent
from latchkey.topics import IDENTITY_ACCOUNT_EVENTS


class AccountEvent(PublicEvent):
    """An event of one account; the stream is the account."""

    topic: ClassVar[str] = IDENTITY_ACCOUNT_EVENTS

    account_id: AccountId


class AccountRegistered(AccountEvent):
    """Somebody registered; the address is not yet proven."""

    event_name: ClassVar[str] = "identity.AccountRegistered"

    registered_at: Instant


class AccountVerified(AccountEvent):
    """The account's owner proved the address."""

    event_name: ClassVar[str] = "identity.AccountVerified"


class SessionsRevoked(AccountEvent):
    """Sessions ended: one of them when `session_id` is given, else all whose access token carries a generation below `generation`."""

    event_name: ClassVar[str] = "identity.SessionsRevoked"

    generation: Annotated[int | None, Field(description="access tokens of a lower generation are refused; null when one session ended")] = (
        None
    )
    session_id: Annotated[str | None, Field(description="the one session that ended, ses_…; null when all of them did")] = None


class AccountErased(AccountEvent):
    """The account is gone and its personal data cannot be read any more; whoever keeps data of it erases that too."""

    event_name: ClassVar[str] = "identity.AccountErased"
