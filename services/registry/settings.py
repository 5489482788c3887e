"""What the registry's processes are told, in environment variables that begin with REGISTRY_."""

import ipaddress
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator

from shared.settings import ServiceSettings

PREFIX: Final = "REGISTRY_"
_DNS_PORT: Final = 53


def _servers(text: str) -> Sequence[tuple[str, int]]:
    """Raises ValueError for what is no list of addresses."""
    found = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        address, colon, port = one.rpartition(":")
        if not colon or (":" in address and not address.startswith("[")):
            address, port = one, str(_DNS_PORT)
        try:
            found.append((str(ipaddress.ip_address(address.strip("[]"))), int(port)))
        except ValueError:
            raise ValueError("must be addresses such as 9.9.9.9, 127.0.0.1:5353, [2620:fe::fe]:53") from None
    return found


def _checked(text: str) -> str:
    _servers(text)
    return text


class Settings(ServiceSettings):
    """What every service has, and which name servers are asked for domains' TXT records: the machine's unless some are named."""

    port: int = 8002
    dns_servers: Annotated[str, AfterValidator(_checked)] = ""

    @property
    def name_servers(self) -> Sequence[tuple[str, int]]:
        """Their addresses and ports."""
        return _servers(self.dns_servers)
