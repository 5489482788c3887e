"""Answers whose time tells nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from shared.errors import Refusal

_BEAT: Final = 0.1  # seconds; an append more or less disappears in it


@asynccontextmanager
async def paced(*, refusals_only: bool = False) -> AsyncIterator[None]:
    """Leave the block only at a whole tenth of a second after it began, whether it is left normally or by a refusal.

    What is done for a known address and not for an unknown one (an append, a mail) then cannot be read from the clock. With
    `refusals_only` a success, which says everything anyway, does not wait.
    """
    began = time.monotonic()
    try:
        yield
    except Refusal:
        await _beat(began)
        raise
    if not refusals_only:
        await _beat(began)


async def _beat(began: float) -> None:
    await asyncio.sleep(_BEAT - (time.monotonic() - began) % _BEAT)
