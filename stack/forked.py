"""Processes of ours as forks of one that has imported their code: nine imports, each of a second of processor time, become one.

Not by `multiprocessing`'s fork server, which does the same: one that is killed leaves a folder in /tmp, and its children a second helper.
"""

import gc
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Final

from stack.layout import ROOT, Layout
from stack.ports import HEALTH, SERVICES
from stack.processes import Child, Command

_MODULES: Final = (*(f"services.{name}.{role}" for name in SERVICES for role in HEALTH), "portal.main")


class Nursery:
    """The process that ours are forked from. It ends with whoever made it; those that it forked live on."""

    def __init__(self) -> None:
        """Start it; it imports while the caller goes on."""
        self._lock = Lock()
        self._process = _started()

    def fork(self, asked: dict[str, Any]) -> int:
        """Return the pid of a new process that has become what is `asked`. Raises OSError when none could be made."""
        with self._lock:
            if self._process.poll() is not None:
                self._process = _started()
            asks, answers = self._process.stdin, self._process.stdout
            if asks is None or answers is None:
                raise ValueError("it has no pipes")
            asks.write(json.dumps(asked) + "\n")
            asks.flush()
            answer = answers.readline()
        if not answer:
            raise ConnectionResetError("the process that ours are forked from has died")
        return int(answer)

    def end(self) -> None:
        """Return when it is gone."""
        self._process.kill()
        self._process.wait()


class Forked(Child):
    """A child whose command is `python -m` a module with a function `main`."""

    def __init__(self, layout: Layout, name: str, nursery: Nursery) -> None:
        super().__init__(layout, name)
        self._directory, self._nursery = layout.directory, nursery

    def start(self, command: Command) -> None:
        """Fork it into a session of its own, its output appended to its log; it lives on when we die."""
        self.put_long_log_aside()
        environment = dict(command.environment)
        asked = {"module": command.argv[-1], "name": self.name, "environment": environment, "directory": str(self._directory)}
        self.record(self._nursery.fork(asked))


def main() -> None:
    """Import once, then fork whatever is asked for in a line of standard input, and answer with its pid, while the one who asks lives."""
    caller = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a module prints is no answer
    for module in _MODULES:
        with suppress(Exception):  # the fork that is to become it fails by itself, with its own log
            import_module(module)
    gc.freeze()  # a collection in a fork would copy every page it looks at
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel clears away those that end
    for line in sys.stdin:
        if os.getppid() != caller:
            return  # it was killed after it had asked, and nobody would stop what is made now
        pid = os.fork()
        if pid == 0:
            answers.close()
            _become(**json.loads(line))
            return
        print(pid, file=answers, flush=True)


def _started() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stack.forked", str(os.getpid())]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)


def _become(module: str, name: str, environment: dict[str, str], directory: str) -> None:
    """Be what `python -m module` would be with this environment, to its end. `top` and `pgrep` show the child's name."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    child = Child(Layout(Path(directory)), name)
    child.record(os.getpid())  # whoever asked may die before it can
    os.environ.clear()
    os.environ.update(environment)
    Path("/proc/self/comm").write_text(name[:15], "ascii")
    with Path(os.devnull).open("rb") as nothing, child.log.open("ab") as kept:
        for stream, target in ((0, nothing), (1, kept), (2, kept)):
            os.dup2(target.fileno(), stream)
    import_module(module).main()


if __name__ == "__main__":
    main()
