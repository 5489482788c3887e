"""One request on its way through the kit: what the edge learnt about it, kept in the ASGI scope under `latchkey`."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from shared.telemetry import redact

if TYPE_CHECKING:
    from shared.http.caller import Caller

KEY: Final = "latchkey"
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:=+/-]{8,128}")


@dataclass(slots=True)
class Exchange:
    """Filled from the outside in: the edge, then the route (caller, body), then the answer."""

    request_id: str
    traceparent: str
    caller: "Caller | None" = None
    body: bytes = b""
    given: Mapping[str, Any] = field(default_factory=dict)
    too_large: bool = False
    status: int = 0
    code: str | None = None
    span: Any = None  # of OpenTelemetry, where requests are traced


def exchange_of(scope: Any) -> Exchange:
    """The exchange of an ASGI scope (a MutableMapping) or of anything that has one."""
    found: Exchange = scope[KEY]
    return found


def begin(request_id: str | None, traceparent: str | None) -> Exchange:
    """Keep the caller's X-Request-Id when it is 8 to 128 harmless characters, and its W3C traceparent when it is well formed (00).

    Otherwise a new trace begins, and a request id is made of it.
    """
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        random = secrets.token_hex(24)
        traceparent = f"00-{random[:32]}-{random[32:]}-00"
    if request_id is None or not _REQUEST_ID.fullmatch(request_id) or redact(request_id) != request_id:
        request_id = f"req_{secrets.token_hex(12)}"
    return Exchange(request_id, traceparent)
