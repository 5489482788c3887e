"""The server's HTTP/1.1 connections: uvicorn's protocol with bounds on heads and on slow readers, and with answers that need no task."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT: Final = 64 * 1024
_Cycle = Any  # uvicorn's RequestResponseCycle; its scope is typed as uvicorn's own, not as ASGI's


class HotApp(Protocol):
    """A plain ASGI app that can answer most requests from memory."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None: ...

    def at_once(self, scope: Scope, body: bytes) -> "bytes | Later | None":
        """A 200 answer, from its first header to its last byte; None leaves the request, refusals among them, to `__call__`.

        It must not wait, raise, or change anything before it knows that it answers.
        """


class Later(NamedTuple):
    """An answer that can be given at once when `done` is: then `answer` is called, which is bound by what binds `at_once`."""

    done: asyncio.Future[None]
    answer: Callable[[], bytes | None]


class BoundedHead(HttpToolsProtocol):
    """uvicorn's protocol, which would collect request headers and wait for a reader without end: a head longer than HEAD_LIMIT bytes
    closes the connection, and so does a client that takes too little of an answer to make room for more within `reader_seconds`."""

    reader_seconds: ClassVar[float] = 60.0
    _head = 0
    _counted: object = None
    _impatient: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Begin to wait for the client. A polite close would wait for what it does not take."""
        super().pause_writing()
        self._impatient = self.loop.call_later(self.reader_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It took something."""
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        super().connection_lost(exc)
        self._calm()

    def _calm(self) -> None:
        if self._impatient is not None:
            self._impatient.cancel()

    def data_received(self, data: bytes) -> None:
        """Count what came and did not end the head: the scope has a method from then on."""
        super().data_received(data)
        scope = self.scope
        if scope is not None and "method" not in scope:
            self._head = len(data) + (self._head if scope is self._counted else 0)
            self._counted = scope
            if self._head > HEAD_LIMIT:
                self.transport.close()


class AtOnce(BoundedHead):
    """Writes what a hot app answers at once in the same turn of the loop, without the ASGI task and its messages.

    A request that came whole is asked for; whatever is out of the ordinary about it or its connection is uvicorn's, as is all that the
    app leaves. Were uvicorn to start its tasks in another way, every request would be such a one. Of the 36 µs of CPU time that a hot
    answer of 150 bytes takes as an ASGI app, 6 are saved here: more than half of that is the check of each header that is sent.
    """

    _held: _Cycle = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._hot: dict[str, HotApp] = self.config.app.hot  # type: ignore[union-attr]  # uvicorn knows it as any ASGI app

    def _start_asgi_task(self, cycle: _Cycle, app: Any) -> None:
        """Wait for the rest of what was received with the head. `app` is another one when the server has too much to do."""
        if cycle.scope["path"] in self._hot and app is self.app:
            self._held = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Let a held request be answered; its answer may bring up the next one of those that were sent together."""
        super().data_received(data)
        self._answer_held()

    def _answer_held(self) -> None:
        while self._held is not None:
            cycle, self._held = self._held, None
            hot = self._hot[cycle.scope["path"]]
            self._answer(cycle, hot.at_once(cycle.scope, bytes(cycle.body)) if self._usual(cycle) else None)

    def _usual(self, cycle: _Cycle) -> bool:
        return not cycle.more_body and cycle.keep_alive and not self.flow.write_paused and not self.transport.is_closing()

    def _answer(self, cycle: _Cycle, answer: bytes | Later | None) -> None:
        if answer is None:
            super()._start_asgi_task(cycle, self.app)
        elif isinstance(answer, Later):
            answer.done.add_done_callback(partial(self._late, cycle, answer.answer))
        else:
            self._write(cycle, answer)

    def _late(self, cycle: _Cycle, answer: Callable[[], bytes | None], _done: object) -> None:
        if not cycle.disconnected:
            self._answer(cycle, answer() if self._usual(cycle) else None)
            self._answer_held()

    def _write(self, cycle: _Cycle, answer: bytes) -> None:
        pieces = [b"HTTP/1.1 200 OK\r\n"]
        for name, value in self.server_state.default_headers:
            pieces += (name, b": ", value, b"\r\n")
        pieces.append(answer)
        self.transport.write(b"".join(pieces))
        cycle.response_started = cycle.response_complete = True
        cycle.on_response()
        cycle.on_response = _nothing  # as uvicorn does: cycle and protocol would keep each other in memory


def _nothing() -> None:
    return
