"""Structured JSON logs that hold no secret, and the Prometheus registry of a process."""

import logging
import re
import sys
import time
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import asyncpg
import structlog
from prometheus_client import CollectorRegistry, Gauge, GCCollector, PlatformCollector, ProcessCollector
from pydantic_core import to_json

HIDDEN: Final = "[hidden]"
_SECRET_NAMES: Final = re.compile(
    r"authorization|cookie|passw|secret|token|api_?key|master_?key|private|credential|e_?mail|^(to|code|totp|otp|phone|body)$",
    re.IGNORECASE,
)
_SECRET_TEXTS: Final = re.compile(
    r"lk_sk_[A-Za-z0-9_]+"  # a secret key of ours
    r"|eyJ[\w-]{5,}\.[\w-]+\.[\w-]*"  # a JSON Web Token
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user and password in a URL
    r"|(?i:(?:bearer|basic)\s+[\w.~+/=-]{6,})"
    r"|[^\s@<>\"'=:,;()\[\]]+@[\w-]+(?:\.[\w-]+)+"  # an e-mail address
)
_QUIET_SECONDS: Final = 10.0
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def registry() -> CollectorRegistry:
    """A registry with the figures of the process and of its garbage collector already in it; one a process."""
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    return made


def watch_pools(registry: CollectorRegistry, pools: Mapping[str, asyncpg.Pool]) -> None:
    """Show how many connections each pool has open, how many of them nobody uses, and how many it may open."""
    gauge = Gauge("database_connections", "Pooled connections", ["pool", "state"], registry=registry)
    for name, pool in pools.items():
        for state, figure in (("open", pool.get_size), ("idle", pool.get_idle_size), ("most", pool.get_max_size)):
            gauge.labels(name, state).set_function(figure)


def redact(value: Any, name: str = "") -> Any:
    """The value without secrets: everything under a name that tells one, and every text that looks like one, at any depth."""
    hidden = name and _SECRET_NAMES.search(name)
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and not hidden):
        return value
    if hidden:
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): redact(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(inner) for inner in value]
    return _SECRET_TEXTS.sub(HIDDEN, str(value))


def write(fields: Mapping[str, Any]) -> None:
    """One line of JSON on standard output, redacted; a line break inside a value is escaped, so nobody can forge a line."""
    write_safe(redact(fields))


def write_safe(fields: Mapping[str, Any]) -> None:
    """Like `write`, for fields that cannot hold a secret: it spares the hot path the search."""
    sys.stdout.write(to_json(fields).decode() + "\n")
    sys.stdout.flush()


def failure(event: str, error: BaseException, **fields: Any) -> None:
    """One line about an error nobody expected, with its trace of file and line: without local variables, which hold secrets."""
    write({"event": event, "level": "error", "timestamp": time.time(), **fields, "error": "".join(traceback.format_exception(error))})


class _Repeated(logging.Filter):
    """Lets each message of Kafka's client and of the verifier through once in ten seconds: while a broker is away they say the same at
    every retry, which one stack was measured to do 500 times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what was said a moment ago; the words count, not what is named in them."""
        if not record.name.startswith(("aiokafka", "latchkey.verifier")):
            return True
        told = record.created < self._said.get(record.msg, 0.0) + _QUIET_SECONDS
        if not told:
            self._said[record.msg] = record.created
        return not told


def configure_logs(service: str, process: str, level: int = logging.INFO) -> None:
    """Send structlog and the standard library's logging through one pipe: JSON lines with time, level, service and process."""

    def stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"service": service, "process": process, **redact(event)}

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        stamp,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        )
    )
    handler.addFilter(_Repeated())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def printable(text: str, limit: int = 256) -> str:
    """Text from a stranger, fit to be stored and shown: no control characters, at most `limit` characters."""
    return _CONTROL.sub("", text[:limit])
