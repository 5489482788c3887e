"""Host names in their one normal form, and the DNS record that proves who has one."""

import ipaddress
from typing import Final

import idna

from services.registry.domain.errors import WrongField

LONGEST_NAME: Final = 253  # characters, in the domain name system
_CHALLENGE: Final = "_latchkey-challenge."
LONGEST: Final = LONGEST_NAME - len(_CHALLENGE)  # so that the proof still has a name
_VALUE: Final = "latchkey-verification="


def hostname(text: str) -> str:
    """Lower-case ASCII as DNS and the Origin header have it, without the root's dot. Raises WrongField."""
    shown = text.strip().removesuffix(".")
    if len(shown) > LONGEST:
        raise WrongField("domain_long")
    if _is_address(shown):
        raise WrongField("domain_is_address")
    try:
        name = idna.encode(shown, uts46=True, std3_rules=True).decode("ascii").lower()
    except idna.IDNAError as wrong:
        raise WrongField("domain_invalid") from wrong
    if len(name) > LONGEST:
        raise WrongField("domain_long")
    if "." not in name:
        raise WrongField("domain_one_label")
    if _is_address(name):
        raise WrongField("domain_is_address")
    return name


def challenge(name: str) -> str:
    """Where the TXT record goes."""
    return f"{_CHALLENGE}{name}"


def evidence(proof: str) -> str:
    """What the TXT record says."""
    return f"{_VALUE}{proof}"


def _is_address(text: str) -> bool:
    """Also 127.1 and 0x7f.1, which browsers take for addresses: no top-level domain is a number."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        last = text.rpartition(".")[2]
        return last.isdecimal() or last.lower().startswith("0x")
    return True
