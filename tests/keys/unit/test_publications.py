"""S53: what others hear of each event, and what the compacted topics hold after it: never a secret."""

import json

from latchkey.judging import PairStatus, decode_ring
from latchkey.keyformat import Kind, key_digest
from latchkey.topics import KEYS_KEYRING_STATE, KEYS_VERIFIER_STATE

from services.keys.domain.events import (
    DisableReason,
    KeyDisabled,
    KeyEnabled,
    KeyExpired,
    KeyPairGenerated,
    KeyRevoked,
    KeyringEvent,
    KeyringResumed,
    KeyringSuspended,
    KeyRotated,
    KeyRotationFinished,
    KeySecretRevealed,
    SuspensionReason,
)
from services.keys.domain.keyring import Keyring, evolve
from services.keys.publications import publish, states
from tests.keys.builders import APP, NOW, at, erasing, generated, given, key, new_pair, rotated

DISABLED = SuspensionReason.APP_DISABLED
EVERYTHING: tuple[KeyringEvent, ...] = (
    *generated("kp_1"),
    KeyPairGenerated(new_pair("kp_2")),
    KeyRotated("kp_1", "kp_2", at(60), NOW),
    KeySecretRevealed("kp_2"),
    KeyRotationFinished("kp_1", "kp_2"),
    KeyDisabled("kp_1", DisableReason.ROTATED),
    KeyDisabled("kp_2", DisableReason.REQUESTED),
    KeyEnabled("kp_2"),
    KeyringSuspended(DISABLED, APP, 2),
    KeyringResumed(DISABLED, APP, 3),
    KeyExpired("kp_2"),
    KeyPairGenerated(new_pair("kp_3")),
    KeyRevoked("kp_3", "leaked"),
)


def _steps(history: tuple[KeyringEvent, ...]) -> list[tuple[KeyringEvent, Keyring]]:
    ring, steps = Keyring("kr_1"), []
    for event in history:
        ring = evolve(ring, event)
        steps.append((event, ring))
    return steps


def test_every_event_but_the_opening_is_published_under_its_own_name() -> None:
    published = [publish(event, ring) for event, ring in _steps(EVERYTHING)]
    assert published[0] is None
    assert [type(public).__name__ for public in published[1:]] == [type(event).__name__ for event in EVERYTHING[1:]]


def test_no_secret_and_no_digest_of_one_is_published() -> None:
    said = "".join(public.model_dump_json() for event, ring in _steps(EVERYTHING) if (public := publish(event, ring)))
    said += "".join(state.text or "" for event, ring in _steps(EVERYTHING) for state in states(event, ring, 1))
    for name in ("kp_1", "kp_2", "kp_3"):
        assert key(Kind.SECRET, name) not in said
        assert key(Kind.PUBLIC, name) in said
    assert key_digest(key(Kind.SECRET, "kp_1")).hex() not in "".join(
        state.text or "" for event, ring in _steps(EVERYTHING) for state in states(event, ring, 1) if state.topic == KEYS_KEYRING_STATE
    )


def _verifier_record(history: tuple[KeyringEvent, ...]) -> dict[str, PairStatus]:
    event, ring = _steps(history)[-1]
    [text] = [state.text for state in states(event, ring, 7) if state.topic == KEYS_VERIFIER_STATE]
    assert text is not None
    record = decode_ring(text.encode())
    assert record is not None
    assert record.streamversion == 7
    return {pair.pair_id: pair.status for pair in record.pairs}


def test_verifiers_keep_hearing_of_what_has_ended() -> None:
    assert _verifier_record((*generated("kp_1"), *rotated("kp_1", "kp_2"), KeyRevoked("kp_2", "leaked"))) == {
        "kp_1": PairStatus.RETIRED,
        "kp_2": PairStatus.REVOKED,
    }


def test_verifiers_hear_of_a_suspension_with_every_pair() -> None:
    event, ring = _steps((*generated("kp_1"), KeyringSuspended(DISABLED, APP, 2)))[-1]
    record = decode_ring((states(event, ring, 2)[0].text or "").encode())
    assert record is not None
    assert [pair.suspended for pair in record.pairs] == [True]


def test_a_busy_rings_record_stays_far_below_what_kafka_takes() -> None:
    history: tuple[KeyringEvent, ...] = (*generated("kp_0"), *(step for n in range(130) for step in rotated(f"kp_{n}", f"kp_{n + 1}")))
    event, ring = _steps(history)[-1]
    assert len(_verifier_record(history)) == 101
    assert max(len(state.text or "") for state in states(event, ring, 1)) < 100_000


def test_an_erased_accounts_public_state_is_gone_and_its_keys_stay_known_as_revoked() -> None:
    erased = given(*generated("kp_1"))
    event, ring = _steps((*generated("kp_1"), *erased.when(erasing())))[-1]
    by_topic = {state.topic: state.text for state in states(event, ring, 5)}
    assert by_topic[KEYS_KEYRING_STATE] is None
    record = decode_ring((by_topic[KEYS_VERIFIER_STATE] or "").encode())
    assert record is not None
    assert [pair.status for pair in record.pairs] == [PairStatus.REVOKED]


def test_the_public_state_says_what_may_be_known() -> None:
    event, ring = _steps(generated("kp_1")[:2])[-1]
    text = next(state.text for state in states(event, ring, 1) if state.topic == KEYS_KEYRING_STATE)
    data = json.loads(text or "")["data"]
    assert (data["app_id"], data["suspensions"]) == (APP, [])
    assert set(data["pairs"][0]) == {
        "pair_id", "lineage_id", "status", "public_key", "secret_last_four", "valid_until", "expires_at", "scopes", "allowed_origins",
        "allowed_ips",
    }  # fmt: skip
