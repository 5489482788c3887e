"""What an answer says about versions and caching, and how a read waits for what was written elsewhere."""

import asyncio
import re
import time
from typing import Annotated, Final, Protocol

from fastapi import Header, Response

from shared.http.refusals import BadEventPosition

LONGEST_WAIT: Final = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.05  # seconds between two looks
_POSITION: Final = re.compile(r"([a-z]{1,32})/([A-Za-z0-9_-]{1,128})/(0|[1-9][0-9]{0,8})")

EventPosition = Annotated[
    str | None,
    Header(
        alias="Event-Position", description="Wait up to 2 s until this was seen", json_schema_extra={"pattern": f"^{_POSITION.pattern}$"}
    ),
]


class Versioned(Protocol):
    """What a command leaves: `shared.store.aggregates.Decided` is one."""

    @property
    def stream_id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def public_version(self) -> int: ...


class Positions(Protocol):
    """How far a foreign view has come."""

    async def reached(self, stream_id: str, version: int) -> bool:
        """Whether the view holds this public version of the stream, or a later one."""


def versioned(response: Response, service: str, decided: Versioned) -> None:
    """Say the stream's version (`ETag`), and where other services can wait for it (`Event-Position`)."""
    response.headers["etag"] = f'"{decided.version}"'
    response.headers["event-position"] = f"{service}/{decided.stream_id}/{decided.public_version}"


def tagged(response: Response, version: int) -> None:
    """Say the version of what is read, for a later If-Match."""
    response.headers["etag"] = f'"{version}"'


def no_store(response: Response) -> None:
    """For an answer that holds a secret: no cache keeps it, not even the browser's history."""
    response.headers["cache-control"] = "no-store"
    response.headers["pragma"] = "no-cache"


async def wait_for(position: str | None, service: str, positions: Positions, *, seconds: float = LONGEST_WAIT) -> bool:
    """Wait until the view has seen a position of this service; false when the time was up, and the answer is then what there is.

    No position, and one of another service, is nothing to wait for. Raises BadEventPosition.
    """
    if position is None:
        return True
    found = _POSITION.fullmatch(position)
    if found is None:
        raise BadEventPosition
    if found[1] != service:
        return True
    return await until(positions, found[2], int(found[3]), seconds=seconds)


async def until(positions: Positions, stream_id: str, version: int, *, seconds: float = LONGEST_WAIT) -> bool:
    """Look again and again, ever more slowly, until the stream is there."""
    ends, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while not await positions.reached(stream_id, version):
        left = ends - time.monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)
    return True
