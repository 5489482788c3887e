"""A batch is worked on in pieces, so that others of the same process are not kept waiting for the whole of it."""

import asyncio
from collections import UserDict
from collections.abc import ItemsView
from dataclasses import replace
from typing import Any, ClassVar

from services.metrics.commands import Told, TransactionCommands
from services.metrics.wiring import REFUSAL, TRANSACTION
from shared.store.aggregates import BREATH, Aggregates
from shared.store.memory import MemoryStore
from tests.metrics.unit.test_transactions import DETAILS, SECRET
from tests.shared.toy import context


class _Watched(UserDict[str, Any]):
    """The fields of an item, which are read once, for its fingerprint."""

    turns: ClassVar[int] = 0
    seen: ClassVar[set[int]] = set()

    def items(self) -> ItemsView[str, Any]:
        self.seen.add(type(self).turns)
        return super().items()


async def test_others_go_in_between() -> None:
    async def others() -> None:
        while True:
            _Watched.turns += 1
            await asyncio.sleep(0)

    store, going = MemoryStore([]), asyncio.create_task(others())
    commands = TransactionCommands(Aggregates(TRANSACTION, store), Aggregates(REFUSAL, store), b"k" * 32)
    batch = [Told(_Watched(n=n), replace(DETAILS, transaction_id=f"order-{n}")) for n in range(4 * BREATH)]
    outcomes = await commands.record(batch, SECRET, context())
    going.cancel()
    assert [outcome.recorded for outcome in outcomes] == [True] * len(batch)
    assert len(_Watched.seen) == 4
