"""Is the process alive, is it able to serve, how is it doing: a plain ASGI app for the internal port."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

_PROBE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that readiness needs: `probe` gives None when it is well, else a sentence; it may raise, and has one second."""

    name: str
    probe: Callable[[], Awaitable[str | None]]


class Health:
    """`/livez`: the event loop turns. `/readyz`: 200 when every check is well and no drain began, else 503 with reasons. `/metrics`."""

    def __init__(self, checks: Sequence[Check], registry: CollectorRegistry) -> None:
        self.draining = False
        self._checks, self._registry = checks, registry

    async def reasons(self) -> dict[str, str]:
        """What stands in the way of serving, by check; empty when ready."""
        if self.draining:
            return {"process": "is draining"}
        found = await asyncio.gather(*(_probe(check) for check in self._checks))
        return {check.name: reason for check, reason in zip(self._checks, found, strict=True) if reason}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the ASGI signature
        if scope["type"] != "http":
            return
        match scope["path"]:
            case "/livez":
                status, media, body = 200, "application/json", b'{"alive":true}'
            case "/readyz":
                reasons = await self.reasons()
                status, media, body = 503 if reasons else 200, "application/json", to_json({"ready": not reasons, "reasons": reasons})
            case "/metrics":
                status, media, body = 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)
            case _:
                status, media, body = 404, "application/json", b"{}"
        headers = [(b"content-type", media.encode()), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
        if status == 503:  # noqa: PLR2004 - the status itself
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _probe(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            return await check.probe()
    except TimeoutError:
        return "does not answer within a second"
    except Exception as error:  # noqa: BLE001 - whatever a probe raises, it says that the thing is not well
        return f"failed: {type(error).__name__}"
