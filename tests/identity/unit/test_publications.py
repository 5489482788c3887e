"""What others hear, and that it holds nothing personal."""

import pytest
from latchkey.events import identity as public
from latchkey.states import decode_state
from latchkey.topics import IDENTITY_ERASURE_STATE

from services.identity.domain.events import (
    AccountErased,
    AccountEvent,
    AccountLocked,
    AccountVerified,
    PasswordChanged,
    ProfileChanged,
    SessionsRevoked,
    SignInFailed,
)
from services.identity.publications import publish, states
from tests.identity.builders import ACTIVE, NOW, REGISTERED, code_sent, given

ACCOUNT = given(*ACTIVE).state


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (REGISTERED, public.AccountRegistered(account_id="acc_1", registered_at=NOW)),
        (AccountVerified(NOW), public.AccountVerified(account_id="acc_1")),
        (SessionsRevoked(generation=2), public.SessionsRevoked(account_id="acc_1", generation=2)),
        (SessionsRevoked(session_id="ses_1"), public.SessionsRevoked(account_id="acc_1", session_id="ses_1")),
        (AccountErased(NOW), public.AccountErased(account_id="acc_1")),
    ],
)
def test_what_others_need_is_published(event: AccountEvent, said: public.AccountEvent) -> None:
    assert publish(event, ACCOUNT) == said
    assert "ann" not in said.model_dump_json().casefold()


@pytest.mark.parametrize("event", [code_sent(), PasswordChanged("h"), ProfileChanged("n"), SignInFailed(), AccountLocked(NOW)])
def test_what_is_nobodys_business_is_not(event: AccountEvent) -> None:
    assert publish(event, ACCOUNT) is None
    assert states(event, ACCOUNT, 3) == ()


def test_an_erasure_is_kept_on_its_compacted_topic() -> None:
    [state] = states(AccountErased(NOW), ACCOUNT, 4)
    assert state.topic == IDENTITY_ERASURE_STATE
    assert state.text is not None
    record = decode_state(state.text.encode())
    assert record is not None
    assert (record.kind, record.stream_id, record.streamversion) == ("identity.Erasure.v1", "acc_1", 4)
    assert record.data == {"account_id": "acc_1", "erased_at": NOW.isoformat()}
