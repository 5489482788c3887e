"""The log's names: every event has one, and what was once written can be read."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from services.identity.domain.events import (
    STORED,
    AccountRegistered,
    IdentityEvent,
    SessionEnd,
    SessionEnded,
    SessionsRevoked,
    SessionStarted,
)
from shared.events import EventRegistry, personal_fields
from shared.personal import ERASED
from shared.sealing import Cipher

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EVENTS: EventRegistry[IdentityEvent] = EventRegistry(STORED)
WRITTEN: list[tuple[IdentityEvent, str]] = [
    (SessionsRevoked(generation=2), '{"generation":2,"session_id":null}'),
    (SessionEnded(SessionEnd.TOKEN_REUSED, AT), '{"reason":"token_reused","ended_at":"2026-11-23T12:00:00Z"}'),
]


def test_every_event_has_a_stored_name() -> None:
    assert {kind for kind, _ in STORED.values()} == set(get_args(IdentityEvent))
    assert all(name == f"identity.{kind.__name__}" for name, (kind, _) in STORED.items())


@pytest.mark.parametrize(("event", "written"), WRITTEN)
def test_what_was_once_written_is_read_the_same(event: IdentityEvent, written: str) -> None:
    name, schema, data = EVENTS.encode(event, stream_id="s", subject="acc_1", cipher=None)
    assert data == written
    assert EVENTS.decode(name, schema, written, stream_id="s", ciphers={}) == event


def test_everything_about_a_person_is_personal() -> None:
    assert personal_fields(AccountRegistered) == ("email", "email_digest", "name", "password_hash")
    assert personal_fields(SessionStarted) == ("ip", "device")


def test_personal_fields_are_sealed_and_read_as_erased_without_the_key() -> None:
    cipher = Cipher(bytes(32))
    event = AccountRegistered("ann@example.com", "hmac-of-ann", "Ann", "$argon2id$hash", AT)
    name, schema, data = EVENTS.encode(event, stream_id="acc_1", subject="acc_1", cipher=cipher)
    assert not any(text in data for text in ("ann@", "hmac-of-ann", "argon2"))
    assert EVENTS.decode(name, schema, data, stream_id="acc_1", ciphers={"acc_1": cipher}) == event
    erased = EVENTS.decode(name, schema, data, stream_id="acc_1", ciphers={"acc_1": None})
    assert erased == AccountRegistered(ERASED, ERASED, ERASED, ERASED, AT)
