"""Countries and their states, asked once a day: they are the same for everybody."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from portal.apis.calls import Away
from portal.apis.registry import Country, Registry, State

_KEEP_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the form may offer for a country; everything is empty while none is chosen."""

    states: Sequence[State] = ()
    calling_code: str = ""
    postal_code_example: str = ""


class Places:
    """A memory of what registry says of places. What is known stays good while registry is away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, Any]] = {}

    async def countries(self, registry: Registry) -> Sequence[Country]:
        """By name. Raises Away when registry never answered."""
        found: Sequence[Country] = await self._known("countries", registry.countries)
        return found

    async def name(self, registry: Registry, code: str) -> str:
        """The country's name; its code when registry is away."""
        try:
            return next((country.name for country in await self.countries(registry) if country.code == code), code)
        except Away:
            return code

    async def chosen(self, registry: Registry, code: str) -> Chosen:
        """What belongs to a country; nothing for one that there is not."""
        country = next((country for country in await self.countries(registry) if country.code == code), None)
        if country is None:
            return Chosen()
        states: Sequence[State] = await self._known(code, lambda: registry.states(code)) if country.has_states else ()
        return Chosen(states, country.calling_code or "", country.postal_code_example or "")

    async def _known(self, name: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        asked_at, kept = self._kept.get(name, (0.0, None))
        if kept is not None and self._clock() - asked_at < _KEEP_SECONDS:
            return kept
        try:
            kept = await ask()
        except Away:
            if kept is None:
                raise
        self._kept[name] = (self._clock(), kept)
        return kept
