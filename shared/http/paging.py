"""Cursors: opaque, signed, and good only for the list, the filters and the tenant that they were made for."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Query
from pydantic_core import from_json, to_json

from shared.errors import FieldError
from shared.http.refusals import BadCursor
from shared.http.schemas import Page

__all__ = ["CursorText", "Cursors", "Limit", "Page"]

_TAG_BYTES: Final = 16
LONGEST: Final = 1_024

Limit = Annotated[int, Query(ge=1, le=100, description="How many items at most")]
CursorText = Annotated[str | None, Query(max_length=LONGEST, description="`next_cursor` of the page before")]


class Cursors:
    """Makes and reads cursors under one key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, values: Mapping[str, Any], *bound: object) -> str:
        """A cursor that holds `values` (whatever JSON can) and counts only with the same `bound`: list name, tenant, every filter."""
        payload = to_json(values)
        return base64.urlsafe_b64encode(self._tag(payload, bound) + payload).rstrip(b"=").decode()

    def read(self, text: str | None, *bound: object) -> dict[str, Any] | None:
        """The values; None when there is no cursor. Raises BadCursor."""
        if text is None:
            return None
        try:
            raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (ValueError, binascii.Error):
            raise _bad() from None
        tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(payload, bound)):
            raise _bad()
        values: dict[str, Any] = from_json(payload)
        return values

    def _tag(self, payload: bytes, bound: tuple[object, ...]) -> bytes:
        mac = hmac.new(self._key, digestmod=hashlib.sha256)
        for piece in (payload, *(to_json(value) for value in bound)):
            mac.update(len(piece).to_bytes(4, "big") + piece)
        return mac.digest()[:_TAG_BYTES]


def _bad() -> BadCursor:
    return BadCursor(errors=(FieldError("cursor", "bad_cursor", "Start again without a cursor."),))
