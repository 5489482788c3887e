"""The envelope: fixed bytes, a position put in later, and each way in which bytes can be no envelope."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latchkey.envelope import BadEnvelope, UnknownMajorVersion, decode, encode, headers, splice
from latchkey.events.registry import AppDisabled
from latchkey.states import BadState, StateRecord, decode_state, encode_state

JSON = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers()) | st.dictionaries(st.text(), st.text())
EVENT = AppDisabled(app_id='app_"1"', owner_id="acc_1")


def frozen(**changed: Any) -> bytes:
    attributes: dict[str, Any] = {
        "source": "/registry",
        "stream_id": EVENT.app_id,
        "streamversion": 3,
        "time": datetime(2026, 11, 23, 12, tzinfo=UTC),
        "tenant": "acc_1",
        "correlation_id": "req_1",
        "causation_id": None,
        "traceparent": None,
    }
    return encode(EVENT, **attributes | changed)


def document(**changed: Any) -> bytes:
    return json.dumps(json.loads(frozen()) | changed).encode()


def test_an_envelope_is_cloudevents_with_our_extensions() -> None:
    assert json.loads(splice(frozen(causation_id="cmd_1", traceparent="00-a-b-01"), 2**40)) == {
        "globalposition": "1099511627776",
        "specversion": "1.0",
        "id": 'app_"1"/3',
        "source": "/registry",
        "type": "registry.AppDisabled.v1",
        "subject": 'app_"1"',
        "time": "2026-11-23T12:00:00.000000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:latchkey:schema:registry.AppDisabled.v1",
        "streamversion": 3,
        "partitionkey": 'app_"1"',
        "tenantid": "acc_1",
        "correlationid": "req_1",
        "causationid": "cmd_1",
        "traceparent": "00-a-b-01",
        "data": {"app_id": 'app_"1"', "owner_id": "acc_1"},
    }


def test_what_is_written_is_read() -> None:
    envelope = decode(splice(frozen(causation_id="cmd_1"), 42))
    assert (envelope.data, envelope.globalposition, envelope.streamversion) == (EVENT, 42, 3)
    assert (envelope.subject, envelope.causation_id, envelope.traceparent) == ('app_"1"', "cmd_1", None)
    assert decode(frozen()).globalposition is None


def test_an_unknown_type_is_read_without_its_meaning() -> None:
    envelope = decode(document(type="registry.AppPainted.v1", data={"colour": "red"}))
    assert (envelope.data, envelope.payload) == (None, {"colour": "red"})


def test_an_unknown_field_is_ignored() -> None:
    assert decode(document(data={"app_id": "app_1", "owner_id": "acc_1", "colour": "red"})).data == AppDisabled(
        app_id="app_1", owner_id="acc_1"
    )


def test_an_unknown_version_of_a_known_event_is_not_guessed_at() -> None:
    with pytest.raises(UnknownMajorVersion):
        decode(document(type="registry.AppDisabled.v2"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"x" * 5_000_000,
        document(specversion="0.3"),
        document(type="nonsense"),
        document(id=7),
        document(subject=""),
        document(streamversion="3"),
        document(streamversion=0),
        document(streamversion=True),
        document(globalposition=7),
        document(globalposition="9" * 5000),
        document(subject="s" * 513),
        document(subject="nul\x00"),
        document(streamversion=2**31),
        document(time="yesterday"),
        document(time="2026-11-23T12:00:00"),
        document(data=None),
        document(data={"app_id": 1}),
    ],
)
def test_bytes_that_are_no_envelope_are_named_so(raw: bytes) -> None:
    with pytest.raises(BadEnvelope):
        decode(raw)


@settings(max_examples=60)
@given(st.sampled_from(sorted(json.loads(frozen()))), JSON)
def test_an_envelope_is_read_or_named_bad_whatever_is_in_it(name: str, value: object) -> None:
    with contextlib.suppress(BadEnvelope, UnknownMajorVersion):
        assert decode(document(**{name: value})).subject


@settings(max_examples=40)
@given(st.binary(max_size=40))
def test_any_bytes_are_named_bad(raw: bytes) -> None:
    with pytest.raises(BadEnvelope):
        decode(raw)


def test_a_wrong_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(BadEnvelope) as refused:
        decode(document(data={"app_id": ["hush"], "owner_id": "acc_1"}))
    assert "hush" not in str(refused.value)
    assert "app_id" in str(refused.value)


def test_headers_repeat_what_a_router_needs() -> None:
    assert headers("a.B.v1", "s/1", None) == [
        ("content-type", b"application/cloudevents+json"),
        ("ce_type", b"a.B.v1"),
        ("ce_id", b"s/1"),
    ]
    assert ("traceparent", b"00-a-b-01") in headers("a.B.v1", "s/1", "00-a-b-01")


def test_a_state_record_is_read_as_written_and_a_tombstone_is_nothing() -> None:
    raw = splice(encode_state("registry.App.v1", "app_1", 4, {"name": "Ä"}).encode(), 9)
    assert decode_state(raw) == StateRecord("registry.App.v1", "app_1", 4, 9, {"name": "Ä"})
    assert decode_state(None) is None
    for broken in (b"", b"[]", b'{"kind":"k","subject":"s","streamversion":0,"data":{}}'):
        with pytest.raises(BadState):
            decode_state(broken)
