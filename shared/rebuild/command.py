"""`ops rebuild`: a progress bar around the rebuild, and sentences for what can come of it."""

import time
from typing import Self

import asyncpg
from latchkey.envelope import BadEnvelope, UnknownMajorVersion
from latchkey.feed import FeedAway
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shared.feeds import publisher_of
from shared.ops.kit import Arguments, Failed, Toolbox, say
from shared.rebuild.foreign import ForeignRebuild, ForeignView
from shared.rebuild.rebuild import Differs, NeverQuiet, Rebuild, RebuildRunning, opened
from shared.rebuild.tables import drop_old
from shared.store.contract import View


async def rebuild(tools: Toolbox, arguments: Arguments) -> None:
    """Rebuild one view. Raises Failed when it does not exist, is being rebuilt, differs, or never got its moment."""
    view, owner = _view(tools, arguments.view), tools.owner()
    try:
        if isinstance(view, ForeignView):
            await _from_feeds(tools, view, owner, arguments)
        elif arguments.drop_old:
            await _drop_old(owner, view)
        else:
            await _from_log(tools, view, owner, verify=arguments.verify)
            if not arguments.keep_old:
                await _drop_old(owner, view)
    except Differs as differs:
        for found in differs.differences:
            say(f"{found.table}\n  live     {found.live or 'no such row'}\n  rebuilt  {found.rebuilt or 'no such row'}")
        raise Failed(f"{view.name} was not switched: the rebuilt tables differ from the live ones.") from differs
    except NeverQuiet as never:
        raise Failed("Writers never paused long enough for the switch; run it again.") from never
    except RebuildRunning as running:
        raise Failed(f"{view.name} is being rebuilt by another process.") from running


async def _from_log(tools: Toolbox, view: View, owner: str, *, verify: bool) -> None:
    with _Bar(view.name) as bar:
        async with opened(owner, tools.registry, tools.master_key, view) as parts:
            begun = await Rebuild(parts, view, bar.progress).run(verify=verify)
    how = "went on with" if begun.resumed else "made"
    same = " and equal to the version before" if verify and begun.active is not None else ""
    say(f"{view.name}: {how} version {begun.version}, {bar.summary()}; it is active now{same}.")


async def _from_feeds(tools: Toolbox, view: ForeignView, owner: str, arguments: Arguments) -> None:
    if arguments.drop_old:
        return say("There is nothing to drop.")
    async with tools.feeds(view.topics) as feeds:
        missing = sorted({publisher_of(topic) for topic in view.topics if topic not in feeds})
        if missing:
            told = f"{tools.service.upper()}_FEED_CLIENT_ID, _FEED_CLIENT_SECRET and the addresses"
            raise Failed(f"{view.name} is fed by {', '.join(missing)}, whose feed this service cannot ask: set {told}.")
        db = await asyncpg.connect(owner, timeout=10)
        try:
            with _Bar(view.name) as bar:
                await ForeignRebuild(db, view, feeds, bar.progress).run(verify=arguments.verify)
        except FeedAway as away:
            raise Failed(
                f"{view.name} is as it was: a service that feeds it does not answer ({away}). Run it again when it does."
            ) from away
        except (BadEnvelope, UnknownMajorVersion) as unread:
            raise Failed(f"{view.name} is as it was: its feed holds an event that this release cannot read ({unread}).") from unread
        finally:
            await db.close()
    same = " and equal to what they were" if arguments.verify else ""
    return say(f"{view.name}: made anew from the feeds, {bar.summary()}; its tables are in place{same}.")


async def _drop_old(owner: str, view: View) -> None:
    """What nobody writes to any more would keep what was erased since. Raises Failed while somebody reads it."""
    db = await asyncpg.connect(owner, timeout=10)
    try:
        dropped = await drop_old(db, view)
    except asyncpg.LockNotAvailableError:
        raise Failed(f"An older version of {view.name} is still being read; drop it later with --drop-old.") from None
    finally:
        await db.close()
    say(f"Dropped {', '.join(dropped)}." if dropped else "There is nothing to drop.")


def _view(tools: Toolbox, name: str) -> View | ForeignView:
    views: list[View | ForeignView] = [*tools.views, *tools.foreign]
    for view in views:
        if view.name == name:
            return view
    raise Failed(f"There is no view {name}; there are {', '.join(view.name for view in views)}.")


class _Bar:
    def __init__(self, name: str) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(name, total=None, rate="")
        self._first: int | None = None
        self._last, self._started = 0, time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self, position: int, goal: int) -> None:
        """Show a position of the log and the one to reach."""
        self._first = position if self._first is None else self._first
        self._last = position
        self._bar.update(self._task, completed=position, total=goal, rate=f"{self._rate():,.0f} events/s")

    def summary(self) -> str:
        """How far and how fast, for the closing line."""
        return f"up to position {self._last} in {time.monotonic() - self._started:.1f} s ({self._rate():,.0f} events/s)"

    def _rate(self) -> float:
        return (self._last - (self._first or 0)) / max(time.monotonic() - self._started, 0.001)
