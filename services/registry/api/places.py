"""Countries and their states over HTTP: what the form offers to choose from. The same for everybody, so anybody may keep it."""

from typing import Final

from fastapi import Response

from services.registry.api.schemas import CountryAnswer, Items, StateAnswer
from services.registry.domain import places
from shared.http.caller import Anyone
from shared.http.routing import Router

router = Router(prefix="/v1/countries", tags=["places"])
_KEEP: Final = "public, max-age=86400"


@router.get("")
async def countries(_caller: Anyone, response: Response) -> Items[CountryAnswer]:
    """Every country, by name."""
    response.headers["cache-control"] = _KEEP
    return Items(items=[CountryAnswer.model_validate(country) for country in places.countries()])


@router.get("/{code}/states")
async def states(code: str, _caller: Anyone, response: Response) -> Items[StateAnswer]:
    """The states of a country, by name; none where a country has none."""
    found = places.states_of(code.upper())
    response.headers["cache-control"] = _KEEP
    return Items(items=[StateAnswer.model_validate(state) for state in found])
