"""The one request that aiokafka lacks: AlterUserScramCredentials (Kafka protocol, key 51, version 0), which sets a user's password."""

import hashlib
import secrets
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

_ITERATIONS = 8192
_SHA_512 = 2


class AlteredScramCredentials(Response):  # type: ignore[misc]  # aiokafka has no types
    """By user: the error, 0 for none."""

    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")), ("error_code", Int16), ("error_message", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterScramCredentials(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = AlteredScramCredentials
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterScramCredentials(Request[_AlterScramCredentials]):  # type: ignore[misc]  # aiokafka has no types
    """Sets the password of each user; the password itself does not travel, only its salted hash (RFC 5802)."""

    API_KEY = 51

    def __init__(self, passwords: dict[str, str]) -> None:
        self._passwords = passwords

    def build(self, request_struct_class: type[_AlterScramCredentials]) -> Any:
        """See aiokafka."""
        return request_struct_class([], [_upsertion(user, password) for user, password in self._passwords.items()], {})


def _upsertion(user: str, password: str) -> tuple[Any, ...]:
    salt = secrets.token_bytes(16)
    return user, _SHA_512, _ITERATIONS, salt, hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS), {}
