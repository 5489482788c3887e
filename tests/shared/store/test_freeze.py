"""What Kafka would refuse is refused before it is stored: the relay never meets a record that it cannot send."""

from dataclasses import replace

import pytest
from latchkey.topics import REGISTRY_APP_STATE

from shared.store.freeze import PUBLIC_LIMIT, Loaded, PublicEventTooLarge, freeze
from shared.store.records import State
from tests.shared.toy import JAR, Filled, Jar, context


def _states_of(size: int) -> None:
    kind = replace(JAR, states=lambda _event, _jar, _version: (State(REGISTRY_APP_STATE, "é" * (size // 2)),))
    freeze(kind, Loaded("jar_1", Jar()), [Filled(1)], context(), {})


def test_a_state_over_the_limit_is_refused() -> None:
    _states_of(PUBLIC_LIMIT)
    with pytest.raises(PublicEventTooLarge):
        _states_of(PUBLIC_LIMIT + 2)
