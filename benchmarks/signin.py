"""Sign-in: the processor time of identity for one, beside the password hash alone, which nothing may be cheaper than."""

import time
from pathlib import Path

from benchmarks.measure import Figure, figure, interleaved
from benchmarks.serving import with_keys
from services.identity.commands.hashing import Passwords
from tests.product import Product

AT_ONCE = 4  # with the warm-up fewer than an account may try in its window
_KNOWN = ["bench@example.com"]


async def run(product: Product) -> list[Figure]:
    """The share that is not the hash."""
    passwords = Passwords(threads=1, waiting=1)
    async with with_keys(product) as running:
        process, password = running.server("identity-main"), running.developer.password
        kept = await passwords.hash(password, _KNOWN)

        async def ours() -> float:
            before = _seconds(process.pid)
            for _ in range(AT_ONCE):
                answer = await running.developer.sign_in()
                if answer.status_code != 201:
                    raise RuntimeError(answer.text[:300])
            return 1000 * (_seconds(process.pid) - before) / AT_ONCE

        async def theirs() -> float:
            before = time.process_time()
            for _ in range(AT_ONCE):
                if not await passwords.matches(kept, password):
                    raise RuntimeError
            return 1000 * (time.process_time() - before) / AT_ONCE

        cost = await interleaved(ours, theirs)
    passwords.close()
    return [
        figure(
            "sign-in", "CPU of one, beside its hash", "ms", *cost, peer="argon2id alone", judged="ratio",
            floor=1.15, goal=1.05, smaller_is_better=True, at_the_limit=True,
        ),
    ]  # fmt: skip


def _seconds(pid: int) -> float:
    """What all threads of a process have had of a processor; the kernel's ticks of 10 ms would be too coarse here."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
