"""The one process behind `make up`: starts everything, starts again what dies, and stops everything when it is told to."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from stack.board import Board
from stack.forked import Nursery
from stack.layout import Layout
from stack.parts.part import Part
from stack.plan import Plan, Step
from stack.trouble import Trouble, disk_full_is_trouble

_CALM_SECONDS = 30  # Whoever lived this long has recovered, and its next death counts as the first.
_LONGEST_PAUSE = 10.0


class Supervisor:
    """Runs a plan in this process, with one thread for each child. `over` ends it."""

    def __init__(self, plan: Plan, board: Board, over: threading.Event) -> None:
        self._plan, self._board, self._over = plan, board, over
        self._keepers: list[threading.Thread] = []

    def run(self) -> int:
        """Start everything, keep it until `over`, stop everything; return 0, or 1 when the start failed."""
        try:
            with disk_full_is_trouble(self._board.directory):
                self._start()
        except (Trouble, OSError) as trouble:
            self._stop()
            self._board.enter("failed", str(trouble))
            return 1
        if not self._over.is_set():
            self._board.enter("up")
        self._over.wait()
        self._board.enter("stopping")
        self._stop()
        return 0

    def _start(self) -> None:
        """Begin each step as soon as those it needs are done. Raises the first Trouble, once the steps under way have come to rest."""
        done: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(self._plan.steps)) as pool:
            for step in self._plan.steps:
                done[step.name] = pool.submit(self._do, step, [done[name] for name in step.needs])
        for result in done.values():
            if (wrong := result.exception()) is not None and not isinstance(wrong, _Abandoned):
                raise wrong

    def _do(self, step: Step, needs: Sequence[Future[None]]) -> None:
        wait(needs)
        if self._over.is_set() or any(need.exception() for need in needs):
            raise _Abandoned
        self._board.mark(step.name, "starting")
        try:
            step.work()
        except Exception as wrong:
            trouble = wrong if isinstance(wrong, Trouble | OSError) else Trouble(f"{step.name}: {wrong!r}")
            self._board.mark(step.name, "failed", str(trouble).splitlines()[0])
            self._over.set()  # Nothing else is worth waiting for.
            raise trouble from wrong
        if self._over.is_set():
            return  # It may have been left before it was up.
        if step.keeps is None:
            self._board.mark(step.name, "done")
        else:
            self._board.mark(step.name, "up")
            self._keep(step.keeps)

    def _keep(self, child: Part) -> None:
        keeper = threading.Thread(target=self._watch, args=(child,), name=child.name, daemon=True)
        self._keepers.append(keeper)
        keeper.start()

    def _watch(self, child: Part) -> None:
        """Start the child again whenever it is dead, at once the first time, then after pauses that double."""
        pause, since = 0.0, time.monotonic()
        while not self._over.wait(0.1):
            if child.child.pid is not None:
                continue
            pause = 0.0 if time.monotonic() - since > _CALM_SECONDS else pause
            self._say(f"{child.name} died; it is started again in {pause:.1f} s")
            self._board.mark(child.name, "restarting", f"died; started again in {pause:.1f} s")
            if self._over.wait(pause):
                return
            pause, since = min(_LONGEST_PAUSE, max(0.5, 2 * pause)), time.monotonic()
            try:
                child.start(over=self._over)
            except (Trouble, OSError) as trouble:
                self._say(f"{child.name}: {trouble}")
                self._board.mark(child.name, "failed", str(trouble).splitlines()[0])
            else:
                self._say(f"{child.name} is up again")
                self._board.mark(child.name, "up", "was started again")

    def _stop(self) -> None:
        """Stop the processes that serve before the parts they stand on; all are gone when this returns."""
        self._over.set()
        for keeper in self._keepers:
            keeper.join(60)
        for group in self._plan.stop_order:
            with ThreadPoolExecutor(max(1, len(group))) as pool:
                list(pool.map(lambda child: child.stop(), group))

    @staticmethod
    def _say(sentence: str) -> None:
        print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), sentence, flush=True)


class _Abandoned(Exception):
    """The step was not begun."""


def main() -> int:
    """Supervise the stack of a folder until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    layout = Layout(parser.parse_args().dir)
    over = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: over.set())
    nursery = Nursery()
    try:
        plan = Plan.of_everything(layout, nursery, over)
        return Supervisor(plan, Board(layout, [step.name for step in plan.steps]), over).run()
    finally:
        nursery.end()


if __name__ == "__main__":
    sys.exit(main())
