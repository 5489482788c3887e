"""The smallest ASGI app there is, on the server that ours runs on: what a share of "raw hello" is a share of."""

import sys

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

_BODY = b'{"hello":"world"}'


async def app(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the request and answer 200."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="httptools",
        lifespan="off",
        access_log=False,
        server_header=False,
        log_config=None,
    )
    uvloop.run(uvicorn.Server(config).serve())
