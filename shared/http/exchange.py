"""One request on its way through the kit: what the edge learnt about it, kept in the ASGI scope under `latchkey`."""

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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
    too_large: bool = False
    status: int = 0


def exchange_of(scope: Any) -> Exchange:
    """The exchange of an ASGI scope (a MutableMapping) or of anything that has one."""
    found: Exchange = scope[KEY]
    return found


def sane_request_id(text: str) -> bool:
    """Whether a caller's X-Request-Id may be kept: 8 to 128 harmless ASCII characters."""
    return _REQUEST_ID.fullmatch(text) is not None


def trace(text: str | None) -> str:
    """The caller's W3C traceparent when it is well formed (version 00), else a new trace."""
    if text is not None and _TRACEPARENT.fullmatch(text):
        return text
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
