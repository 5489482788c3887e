"""`ops rebuild`: a progress bar around the rebuild, and sentences for what can come of it."""

import time
from typing import Self

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shared.ops.kit import Arguments, Failed, Toolbox, say
from shared.rebuild.rebuild import Differs, NeverQuiet, Rebuild, RebuildRunning, opened
from shared.rebuild.tables import drop_old
from shared.store.contract import View


async def rebuild(tools: Toolbox, arguments: Arguments) -> None:
    """Rebuild one view. Raises Failed when it does not exist, is being rebuilt, differs, or never got its moment."""
    view, owner = _view(tools, arguments.view), tools.owner()
    if arguments.drop_old:
        return await _drop_old(owner, view)
    try:
        with _Bar(view.name) as bar:
            async with opened(owner, tools.registry, tools.master_key, view) as parts:
                begun = await Rebuild(parts, view, bar.progress).run(verify=arguments.verify)
    except Differs as differs:
        for found in differs.differences:
            say(f"{found.table}\n  live     {found.live or 'no such row'}\n  rebuilt  {found.rebuilt or 'no such row'}")
        raise Failed(f"{view.name} was not switched: the rebuilt tables differ from the live ones.") from differs
    except NeverQuiet as never:
        raise Failed("Writers never paused long enough for the switch; run it again, it goes on from here.") from never
    except RebuildRunning as running:
        raise Failed(f"{view.name} is being rebuilt by another process.") from running
    how = "went on with" if begun.resumed else "made"
    same = " and equal to the version before" if arguments.verify and begun.active is not None else ""
    say(f"{view.name}: {how} version {begun.version}, {bar.summary()}; it is active now{same}.")
    return None


async def _drop_old(owner: str, view: View) -> None:
    db = await asyncpg.connect(owner, timeout=10)
    try:
        dropped = await drop_old(db, view)
    finally:
        await db.close()
    say(f"Dropped {', '.join(dropped)}." if dropped else "There is nothing to drop.")


def _view(tools: Toolbox, name: str) -> View:
    for view in tools.views:
        if view.name == name:
            return view
    raise Failed(f"There is no view {name}; there are {', '.join(view.name for view in tools.views)}.")


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
