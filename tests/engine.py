"""On which PostgreSQL, Redis and Kafka a run of the tests stands: containers where a Docker engine can run them, else local processes."""

import os
import subprocess
from collections.abc import Callable, Iterable
from functools import cache

IMAGES = {"postgres": "postgres:18.6-bookworm", "valkey": "redis:8.4.0-bookworm", "kafka": "apache/kafka:4.3.0"}
_KINDS = ("containers", "local")
_ANSWER_SECONDS, _PULL_SECONDS = 20, 300  # for a word from the engine; for one image, of which Kafka's is the largest with 0.4 GB


def stores(told: str, docker: Callable[..., bool], images: Callable[[], Iterable[str]] = IMAGES.values) -> str:
    """Return `containers` or `local`: what is `told` (LATCHKEY_TEST_STACK), or, told nothing, what the engine can do.

    An engine that answers but neither has the images nor gets them, as one without a way to a registry, leaves local processes.
    Raises ValueError for any other word.
    """
    if told:
        if told not in _KINDS:
            raise ValueError(f"LATCHKEY_TEST_STACK is {told!r}, and can be {' or '.join(_KINDS)}.")
        return told
    able = docker("info", seconds=_ANSWER_SECONDS) and all(_has(image, docker) for image in images())
    return "containers" if able else "local"


@cache
def stores_of_this_run() -> str:
    """Return `stores` of this machine, asked once."""
    return stores(os.environ.get("LATCHKEY_TEST_STACK", ""), _docker, _images)


def _images() -> Iterable[str]:
    """Those of the stores, and the one by which testcontainers clears away after a run that was killed."""
    from testcontainers.core.config import testcontainers_config as told  # takes half a second to import

    return [*IMAGES.values(), *([] if told.ryuk_disabled else [told.ryuk_image])]


def _has(image: str, docker: Callable[..., bool]) -> bool:
    return docker("image", "inspect", image, seconds=_ANSWER_SECONDS) or docker("pull", "--quiet", image, seconds=_PULL_SECONDS)


def _docker(*words: str, seconds: float) -> bool:
    """Whether this command of Docker's ends well in this time; a machine without Docker is a plain no."""
    try:
        done = subprocess.run(["docker", *words], check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
