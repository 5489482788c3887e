"""A stranger's HTTP client: plain calls, retried when a process was restarted under it, which idempotency makes safe."""

import asyncio
import email
import email.policy
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

_PATIENCE: Final = 30.0  # seconds that a service may be away, as it is when a process was killed


class Refused(Exception):
    """An answer that was not expected."""


@dataclass
class Endpoints:
    """Where everything listens, as `.local/endpoints.json` says."""

    identity: str
    registry: str
    keys: str
    metrics: str
    portal: str
    kafka: str
    mail: Path
    service_client: dict[str, str]

    @classmethod
    def read(cls, file: Path) -> "Endpoints":
        """Raises FileNotFoundError while the stack is down."""
        found = json.loads(file.read_text())
        return cls(
            found["identity"],
            found["registry"],
            found["keys"],
            found["metrics"],
            found["portal"],
            found["kafka"],
            Path(found["mail"]),
            found["service_client"],
        )


class Calls:
    """Sends a request until it is answered by anything but "not now"."""

    def __init__(self) -> None:
        self.http = httpx2.AsyncClient(timeout=30)

    async def __call__(self, method: str, url: str, *, expect: int | tuple[int, ...], **rest: Any) -> httpx2.Response:
        """The answer. Raises Refused when its status is not one of `expect`."""
        wanted = (expect,) if isinstance(expect, int) else expect
        until = time.monotonic() + _PATIENCE
        while True:
            answer = await self._try(method, url, **rest)
            if answer is not None and answer.status_code in wanted:
                return answer
            passing = answer is None or answer.status_code in {502, 503, 504}
            if not passing or time.monotonic() > until:
                said = "no answer" if answer is None else f"{answer.status_code} {answer.text[:600]}"
                raise Refused(f"{method} {url}: {said}")
            await asyncio.sleep(0.2)

    async def _try(self, method: str, url: str, **rest: Any) -> httpx2.Response | None:
        try:
            return await self.http.request(method, url, **rest)
        except httpx2.TransportError:
            return None


async def code_mailed_to(address: str, folder: Path) -> str:
    """The six digits of the newest mail to an address. Raises TimeoutError after 15 s."""
    async with asyncio.timeout(15):
        while True:
            for file in _newest_first(folder):
                mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                body = mail.get_body()
                code = re.search(r"\b(\d{6})\b", body.get_content()) if body else None
                if address in str(mail["to"]) and code:
                    return code[1]
            await asyncio.sleep(0.1)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.eml"), key=lambda file: file.stat().st_mtime, reverse=True)
