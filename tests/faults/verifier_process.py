"""A local verifier in a process of its own, for a bootstrap and a bound in milliseconds: a line of keys in, a line of verdicts out."""

import asyncio
import json
import sys

from latchkey.verifier import LocalVerifier


async def main(bootstrap: str, bound_ms: str) -> None:
    """Answer until the input ends."""
    verifier = LocalVerifier(bootstrap, bound_ms=int(bound_ms))
    await verifier.start()
    while line := await asyncio.to_thread(sys.stdin.readline):
        codes = [verifier.check(key).code for key in json.loads(line)]
        await asyncio.to_thread(print, json.dumps(codes), flush=True)
    await verifier.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
