"""How much it takes beyond one machine: `python -m benchmarks.capacity keys=100e6 tx=10e3` calculates from what was measured here.

The inputs were measured on two cores by `make bench` (cases sizes, million, ingest, relay, verify). Each is replaced by naming it:
`ingest=9000`.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Final

MEASURED: Final[Mapping[str, float]] = {
    "key_in_verifier": 148, "transaction_in_postgres": 2_536, "transaction_in_kafka": 1_166, "pair_in_postgres": 5_748,
    "pair_in_kafka": 3_525, "ingest": 4_121, "relay": 76_350, "verify": 12_918, "load_pair_us": 13,
}  # fmt: skip
"""Bytes, and how many a second one process does in a slow hour."""
ASKED: Final[Mapping[str, float]] = {
    "keys": 100e6,
    "tx": 10e3,
    "checks": 10e3,
    "copies": 3,
    "retention_days": 30,
    "partitions": 12,
    "busy": 0.6,
}
"""The wish, and what an installation is set to; `busy` is the share of what a process can do that it is planned for."""


def plan(given: Mapping[str, float]) -> Iterator[tuple[str, float, str]]:
    """Each line of the answer: what, how much, unit."""
    pairs, day = given["keys"] / 2, 86_400 * given["tx"]
    yield "keys held by each process that judges keys", given["keys"] * given["key_in_verifier"] / 1e9, "GB of memory"
    yield "until keys-main serves after its start", pairs * given["load_pair_us"] / 60e6, "minutes"
    yield "keys' database", pairs * given["pair_in_postgres"] / 1e9, "GB"
    yield "keys' topics, every copy", pairs * given["pair_in_kafka"] * given["copies"] / 1e9, "GB"
    yield "processes of metrics-main that take the transactions", math.ceil(given["tx"] / given["ingest"] / given["busy"]), ""
    yield "processes of keys-main that answer the checks", math.ceil(given["checks"] / given["verify"] / given["busy"]), ""
    yield "share of one relay", 100 * given["tx"] / given["relay"], "%"
    yield "transactions a partition", given["tx"] / given["partitions"], "a second"
    yield "written to Kafka, every copy", given["tx"] * given["transaction_in_kafka"] * given["copies"] / 1e6, "MB a second"
    yield "kept by Kafka", day * given["retention_days"] * given["transaction_in_kafka"] * given["copies"] / 1e12, "TB"
    yield "growth of metrics' database, without its write-ahead log", day * given["transaction_in_postgres"] / 1e12, "TB a day"


def main() -> None:
    """Print the plan."""
    known = {**MEASURED, **ASKED}
    told = dict(word.split("=", 1) for word in sys.argv[1:])
    if unknown := told.keys() - known.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: there are {', '.join(known)}")
    for what, much, unit in plan(known | {name: float(value) for name, value in told.items()}):
        print(f"{what:58} {much:10,.4g} {unit}".rstrip())


if __name__ == "__main__":
    main()
