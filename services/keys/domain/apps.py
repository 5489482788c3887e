"""What keys must know of other services' things to decide about a keyring."""

from dataclasses import dataclass

from latchkey.keyformat import Environment

from services.keys.domain.keyring import Place
from shared.ids import derived_id


@dataclass(frozen=True, slots=True)
class App:
    """An app as registry announced it."""

    app_id: str
    owner_id: str
    product_id: str

    def places(self) -> tuple[Place, ...]:
        """The places of its rings, one an environment."""
        return tuple(Place(self.app_id, environment, self.owner_id) for environment in Environment)


def ring_of(place: Place) -> str:
    """The id of the ring at a place: the same for whoever comes first, so that two first writers meet on one stream."""
    return derived_id("kr", place.app_id, place.environment)
