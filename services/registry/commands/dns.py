"""TXT records from real name servers: bounded in time, in size and in how many are asked for at once."""

import asyncio
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.name import from_text
from dns.nameserver import Do53Nameserver
from dns.resolver import NXDOMAIN, NoResolverConfiguration

from services.registry.domain.errors import DnsUnavailable

SECONDS: Final = 2.0  # for a look-up with all its repetitions and name servers
SECONDS_EACH: Final = 0.8  # for one name server to answer once
MOST_RECORDS: Final = 100
MOST_AT_ONCE: Final = 32
_PAYLOAD: Final = 1232  # bytes of an answer over UDP that no network on the way takes apart


class DnsRecords:
    """See TextRecords. Asks these servers; without any, those that the machine is configured to ask."""

    def __init__(self, asked: Sequence[tuple[str, int]]) -> None:
        self._resolver = _resolver(asked)
        self._resolver.timeout, self._resolver.lifetime = SECONDS_EACH, SECONDS
        self._resolver.use_edns(0, 0, _PAYLOAD)
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    async def texts(self, name: str) -> Collection[str]:
        """See TextRecords. A record in several strings is one text; of more than a hundred records the rest is not read."""
        try:
            async with asyncio.timeout(SECONDS + SECONDS_EACH), self._room:
                answer = await self._resolver.resolve(from_text(name), "TXT", raise_on_no_answer=False, search=False)
        except NXDOMAIN:
            return ()
        except (DNSException, OSError, TimeoutError):
            raise DnsUnavailable from None
        return [b"".join(record.strings).decode("ascii", "replace") for record in islice(answer.rrset or (), MOST_RECORDS)]


def _resolver(asked: Sequence[tuple[str, int]]) -> Resolver:
    if not asked:
        try:
            return Resolver()
        except NoResolverConfiguration:
            pass  # a machine without name servers serves everything else; each look-up is refused
    resolver = Resolver(configure=False)
    resolver.nameservers = [Do53Nameserver(address, port) for address, port in asked]
    return resolver
