"""TLS before a PostgreSQL that may be built without it, as its protocol has it: `python tls_before_postgres.py FOLDER`, in a container."""

import asyncio
import contextlib
import ssl
import sys
from pathlib import Path

SSL_REQUEST = (8).to_bytes(4) + (80_877_103).to_bytes(4)
"""What a client sends before anything else that wants TLS; the answer is one letter, and then comes the handshake."""


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()


async def _serve(folder: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            if await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                inner, outer = await asyncio.open_connection("postgres", 5432)
                await asyncio.gather(_copy(reader, outer), _copy(inner, writer))
        writer.close()

    async with await asyncio.start_server(met, port=5432) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
