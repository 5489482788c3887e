"""A name server of the tests' own on UDP and TCP: it knows the TXT records that a test sets, and can be told to misbehave."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

UDP_MOST = 1232


@dataclass
class NameServer:
    """`texts` by name; `rcode` for every answer; silent when told so."""

    address: str = ""
    texts: dict[str, list[str]] = field(default_factory=dict)
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    def answer(self, wire: bytes) -> dns.message.Message:
        """What is said to one question."""
        query = dns.message.from_wire(wire)
        name = query.question[0].name
        self.asked.append(name.to_text(omit_final_dot=True))
        response = dns.message.make_response(query)
        texts = self.texts.get(self.asked[-1])
        if self.rcode is not dns.rcode.NOERROR or texts is None:
            response.set_rcode(self.rcode or dns.rcode.NXDOMAIN)
        elif texts:
            response.answer = [dns.rrset.from_text_list(name, 60, "IN", "TXT", [_strings(text) for text in texts])]
        return response


def _strings(text: str) -> str:
    """A text as a record holds it: strings of at most 255 bytes."""
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override] # a datagram endpoint has this kind
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data)
        if not self._server.silent:
            self._transport.sendto(_fitting(answer), addr)


def _fitting(answer: dns.message.Message) -> bytes:
    whole = _whole(answer)
    if len(whole) > UDP_MOST:
        answer.answer, answer.flags = [], answer.flags | dns.flags.TC
    return _whole(answer)


def _whole(answer: dns.message.Message) -> bytes:
    return answer.to_wire(max_size=65_535, want_shuffle=False)


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[NameServer]:
    """A name server on this port of this machine, or on a free one."""
    server = NameServer()

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        wire = _whole(server.answer(await reader.readexactly(length)))
        writer.write(struct.pack("!H", len(wire)) + wire)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(over_tcp, "127.0.0.1", port) as tcp:
        port = tcp.sockets[0].getsockname()[1]
        udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Udp(server), ("127.0.0.1", port))
        server.address = f"127.0.0.1:{port}"
        try:
            yield server
        finally:
            udp.close()
