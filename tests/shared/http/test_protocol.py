"""Answers without a task: which requests are answered in the turn they came in, and that all others are answered as ever."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from shared.http.protocol import HEAD_LIMIT, AtOnce, Later

ECHO = b"content-length: %d\r\n\r\n%b"


class Echo:
    """Answers with the body: at once unless it says `later`, or `soon`, which is when `settling` is done."""

    def __init__(self) -> None:
        self.hot = {"/hot": self}
        self.settling = asyncio.get_running_loop().create_future()

    def at_once(self, scope: Scope, body: bytes) -> bytes | Later | None:
        """See HotApp."""
        assert scope["method"] == "POST"
        if body == b"soon":
            return Later(self.settling, lambda: ECHO % (len(body), body))
        return None if body == b"later" else ECHO % (len(body), body)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole body, then answer."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body)), (b"x-task", b"1")]})
        await send({"type": "http.response.body", "body": body})


class Wire(asyncio.Transport):
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 6)})
        self.sent, self.closed, self.aborted = b"", False, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.sent += data

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Remember it."""
        self.closed = True

    def abort(self) -> None:
        """Remember it."""
        self.aborted = True

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


Connected = Callable[..., tuple[AtOnce, Wire]]


async def settle(protocol: AtOnce) -> None:
    """Let the answers that were put off be given."""
    protocol.config.app.settling.set_result(None)  # type: ignore[union-attr]  # it is an Echo
    await asyncio.sleep(0)


@pytest.fixture
async def connect() -> Connected:
    def connected(**options: Any) -> tuple[AtOnce, Wire]:
        config = uvicorn.Config(Echo(), http=AtOnce, lifespan="off", log_config=None, access_log=False, proxy_headers=False, **options)
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"today")]
        protocol, wire = AtOnce(config, state, {}, asyncio.get_running_loop()), Wire()
        protocol.connection_made(wire)
        return protocol, wire

    return connected


def request(body: bytes, path: str = "/hot", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: toy", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def finished(protocol: AtOnce) -> None:
    """Wait for the tasks that uvicorn started."""
    async with asyncio.timeout(2):
        await asyncio.gather(*protocol.tasks)
        await asyncio.sleep(0)


def bodies(wire: Wire) -> Sequence[bytes]:
    """What was answered, in order."""
    return [piece.partition(b"\r\n\r\n")[2] for piece in wire.sent.split(b"HTTP/1.1 200 OK\r\n")[1:]]


async def test_a_whole_request_is_answered_before_the_loop_turns(connect: Connected) -> None:
    protocol, wire = connect()
    protocol.data_received(request(b"one"))
    assert wire.sent == b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 3\r\n\r\none"
    assert not protocol.tasks
    protocol.data_received(request(b"two"))
    assert bodies(wire) == [b"one", b"two"]
    assert protocol.server_state.total_requests == 2


async def test_what_the_app_leaves_and_other_paths_have_their_task(connect: Connected) -> None:
    for sent in (request(b"later"), request(b"x", "/cold")):
        protocol, wire = connect()
        protocol.data_received(sent)
        assert wire.sent == b""
        await finished(protocol)
        assert b"x-task: 1" in wire.sent


async def test_a_body_that_comes_in_pieces_is_waited_for_in_a_task(connect: Connected) -> None:
    protocol, wire = connect()
    whole = request(b"a body")
    protocol.data_received(whole[:-3])
    await asyncio.sleep(0)
    protocol.data_received(whole[-3:])
    await finished(protocol)
    assert bodies(wire) == [b"a body"]
    assert b"x-task: 1" in wire.sent


async def test_requests_that_come_together_are_answered_in_their_order(connect: Connected) -> None:
    protocol, wire = connect()
    protocol.data_received(b"".join(map(request, (b"1", b"2", b"later", b"4", b"5"))))
    assert bodies(wire) == [b"1", b"2"]
    await finished(protocol)
    protocol.data_received(request(b"6"))
    assert bodies(wire) == [b"1", b"2", b"later", b"4", b"5", b"6"]


async def test_what_can_be_told_soon_is_answered_then_without_a_task_and_in_its_order(connect: Connected) -> None:
    protocol, wire = connect()
    protocol.data_received(b"".join(map(request, (b"1", b"soon", b"3"))))
    assert bodies(wire) == [b"1"]
    await settle(protocol)
    assert bodies(wire) == [b"1", b"soon", b"3"]
    assert not protocol.tasks
    protocol.data_received(request(b"4"))
    assert bodies(wire)[3:] == [b"4"]


async def test_nothing_is_told_to_a_client_that_went_meanwhile(connect: Connected) -> None:
    protocol, wire = connect()
    protocol.data_received(request(b"soon"))
    protocol.connection_lost(None)
    await settle(protocol)
    assert (wire.sent, len(protocol.tasks)) == (b"", 0)


async def test_a_server_that_ends_meanwhile_answers_and_closes(connect: Connected) -> None:
    protocol, wire = connect()
    protocol.data_received(request(b"soon"))
    protocol.shutdown()
    await settle(protocol)
    await finished(protocol)
    assert bodies(wire) == [b"soon"]
    assert wire.closed


async def test_a_connection_that_is_to_end_is_ended_by_uvicorn(connect: Connected) -> None:
    protocol, wire = connect()
    protocol.data_received(request(b"last", "/hot", "Connection: close"))
    await finished(protocol)
    assert wire.closed
    assert b"connection: close" in wire.sent


async def test_a_client_that_does_not_read_is_waited_for(connect: Connected) -> None:
    protocol, wire = connect()
    protocol.pause_writing()
    protocol.data_received(request(b"one"))
    await asyncio.sleep(0)
    assert wire.sent == b""
    protocol.resume_writing()
    await finished(protocol)
    assert bodies(wire) == [b"one"]


async def test_with_too_much_to_do_the_server_says_so(connect: Connected) -> None:
    protocol, wire = connect(limit_concurrency=1)
    protocol.data_received(request(b"one"))
    await finished(protocol)
    assert wire.sent.startswith(b"HTTP/1.1 503")


async def test_a_head_without_end_ends_the_connection_wherever_it_leads(connect: Connected) -> None:
    protocol, wire = connect()
    protocol.data_received(request(b"one") + b"POST /hot HTTP/1.1\r\nX-Long: ")
    for _ in range(HEAD_LIMIT // 1_000):
        protocol.data_received(b"a" * 1_000)
    assert not wire.closed
    protocol.data_received(b"a" * 1_000)
    assert wire.closed
    assert bodies(wire) == [b"one"]


async def test_a_client_that_takes_nothing_is_cut_off_and_one_that_takes_something_is_not(connect: Connected) -> None:
    loop = asyncio.get_running_loop()
    for meanwhile, aborted in ((None, True), (AtOnce.resume_writing, False), (lambda protocol: protocol.connection_lost(None), False)):
        protocol, wire = connect()
        protocol.pause_writing()
        handle = protocol._impatient  # a minute is too long to wait for
        assert handle is not None
        assert 0 < handle.when() - loop.time() <= AtOnce.reader_seconds
        if meanwhile is not None:
            meanwhile(protocol)
        if not handle.cancelled():
            handle._run()  # as the loop does when the time has come
        assert wire.aborted == aborted
