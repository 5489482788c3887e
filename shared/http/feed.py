"""`GET /v1/feed`: a service's own log of public events, for whoever needs what Kafka no longer holds."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeAlias

import asyncpg
from fastapi import Query, Response
from latchkey.consumer.tables import borrowed
from latchkey.envelope import splice
from pydantic import BaseModel, Field

from shared.http.caller import Caller, requires
from shared.http.routing import Router, provided
from shared.store.fence import fence

_MOST: Final = 1_000
_PAGE_BYTES: Final = 4 * 1024 * 1024  # a page holds fewer events rather than more bytes, but for the one that crosses the line
_PAGE: Final = """
SELECT position, public FROM (
    SELECT position, public, sum(octet_length(public)) OVER (ORDER BY position) - octet_length(public) AS before
    FROM ((SELECT position, public FROM es.events WHERE {which} position > $1 AND position <= $2 AND public IS NOT NULL
           ORDER BY {order} LIMIT $3)
          UNION ALL (SELECT position, public FROM es.lost WHERE {which} position > $1 AND position <= $2 ORDER BY position LIMIT $3)
          ORDER BY position LIMIT $3) AS page
) AS sized WHERE before < $4 ORDER BY position
"""
_ALL: Final = _PAGE.format(which="", order="position")
_STREAM: Final = _PAGE.format(which="stream_id = $5 AND", order="version")  # the same order, and the one that its index has
_SECONDS: Final = 10.0

After = Annotated[int, Query(ge=0, le=2**63 - 1, description="The position behind which to begin")]
Stream = Annotated[str | None, Query(min_length=1, max_length=512, description="Only this stream's events")]
Most = Annotated[int, Query(ge=1, le=_MOST, description="How many events at most")]


class FeedPage(BaseModel):
    """A part of the log. Go on with `after` = `next` until that is at or beyond the `end` of the first page."""

    items: Annotated[Sequence[dict[str, Any]], Field(description="CloudEvents, as they are on Kafka, in the order of their positions")]
    next: Annotated[int, Field(description="The position up to which this page reaches")]
    end: Annotated[int, Field(description="The position up to which the log was final when this was asked")]


class PublicLog:
    """Reads public events behind the fence: a page misses nothing at or below its `next`, however writers overlap."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """`pool` must reach the primary: a standby knows no fence."""
        self._pool = pool

    async def page(self, after: int, stream: str | None, limit: int) -> tuple[Sequence[bytes], int, int]:
        """Up to `limit` events behind `after`, as they were published; the position up to which they reach; the end of the log."""
        async with borrowed(self._pool, _SECONDS) as db:
            end = (await fence(db)).high
            bounds = (after, end, limit, _PAGE_BYTES)
            rows = await (db.fetch(_ALL, *bounds) if stream is None else db.fetch(_STREAM, *bounds, stream))
        cut = len(rows) == limit or sum(len(row[1]) for row in rows) >= _PAGE_BYTES
        return [splice(row[1], row[0]) for row in rows], rows[-1][0] if cut else max(after, end), end


def feed_router(service: str) -> Router:
    """The one route, open to service tokens with the scope `feed:<service>`. It asks for the `PublicLog` among what wiring provides."""
    router = Router(prefix="/v1", tags=["feed"])
    Reader: TypeAlias = Annotated[Caller, requires(f"feed:{service}")]
    Log: TypeAlias = Annotated[PublicLog, provided(PublicLog)]

    @router.get("/feed", response_model=FeedPage)
    async def feed(caller: Reader, log: Log, after: After = 0, stream: Stream = None, limit: Most = 500) -> Response:  # noqa: ARG001 - asked for
        """Public events from the service's own log, also those that Kafka no longer holds."""
        events, following, end = await log.page(after, stream, limit)
        # The events go out in the bytes in which they were frozen, so nothing is parsed and nothing can change.
        body = b'{"items":[' + b",".join(events) + b'],"next":%d,"end":%d}' % (following, end)
        return Response(body, media_type="application/json")

    return router
