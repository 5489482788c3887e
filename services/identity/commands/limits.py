"""How often something may be tried: counted in Redis over all processes, and more strictly in this one while Redis is away."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Final

import redis.asyncio as redis
from redis.exceptions import RedisError

from services.identity.commands.secrets import Digests
from services.identity.domain.errors import TooManyAttempts

_ANSWERS: Final = 0.25  # seconds; a Redis that takes longer counts as away
_RETRY: Final = 1.0  # seconds until one that was away is asked again
_STRICTER: Final = 3  # alone, a process allows a third: the others count too
_KEPT: Final = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """`most` times in a window of `seconds`, for each value of what `name` says is counted."""

    name: str
    most: int
    seconds: int


def network_of(ip: str) -> str:
    """What counts as one visitor: an IPv4 address, or the /64 that somebody who has one IPv6 address of it has whole."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, IPv4Address):
        return ip
    return str(address.ipv4_mapped) if address.ipv4_mapped else f"{int(address) >> 64:x}/64"


class Limits:
    """Counts attempts in fixed windows. Losing the counts is harmless: locks of accounts are events, not counts here."""

    def __init__(self, redis_url: str, digests: Digests) -> None:
        self._redis = redis.from_url(redis_url, socket_timeout=_ANSWERS, socket_connect_timeout=_ANSWERS)
        self._digests, self._away_until = digests, 0.0
        self._alone: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def require(self, limit: Limit, value: str) -> None:
        """Count one attempt. Raises TooManyAttempts, with the seconds to wait, when the limit is used up."""
        wait = await self._wait(limit, value)
        if wait:
            raise TooManyAttempts(retry_after=wait)

    async def allows(self, limit: Limit, value: str) -> bool:
        """Count one attempt and say whether it is within the limit."""
        return await self._wait(limit, value) == 0

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()

    async def _wait(self, limit: Limit, value: str) -> float:
        """Seconds until the next window, 0 while this one has room."""
        key = f"limit:{limit.name}:{self._digests.limit(value)}"
        if time.monotonic() >= self._away_until:
            try:
                count, left = await self._counted(key, limit.seconds)
            except (RedisError, OSError, TimeoutError):
                self._away_until = time.monotonic() + _RETRY
            else:
                return 0 if count <= limit.most else max(left, 1)
        count, left = self._counted_alone(key, limit.seconds)
        return 0 if count <= max(1, limit.most // _STRICTER) else max(left, 1)

    async def _counted(self, key: str, seconds: int) -> tuple[int, float]:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(key, 0, ex=seconds, nx=True)
            pipe.incr(key)
            pipe.ttl(key)
            _, count, left = await pipe.execute()
        return count, left

    def _counted_alone(self, key: str, seconds: int) -> tuple[int, float]:
        now = time.monotonic()
        ends, count = self._alone.pop(key, (0.0, 0))
        if ends <= now:
            ends, count = now + seconds, 0
        self._alone[key] = (ends, count + 1)
        if len(self._alone) > _KEPT:
            self._alone.popitem(last=False)
        return count + 1, ends - now
