"""What the keys service can be told to do. One method, one decision, one transaction."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from latchkey.keyformat import ENTROPY_BYTES, Environment, Kind, key_digest, last_four, make_key

from services.keys.domain import decisions
from services.keys.domain.apps import App, ring_of
from services.keys.domain.events import KeyringEvent, NewPair
from services.keys.domain.keyring import Keyring, Pair, Place, Standing
from shared.ids import new_id
from shared.store.aggregates import Aggregates, Decided
from shared.store.records import Context

Ring = Decided[Keyring]
Decision = Callable[[Keyring], Sequence[KeyringEvent]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a pair is restricted to. Empty origins and addresses allow all; without scopes it has none."""

    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    allowed_ips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issued:
    """A pair that was made. `secret_key` is here for the one answer that carries it, and None when that answer was given before."""

    decided: Ring
    pair: Pair
    secret_key: str | None


class Whereabouts(Protocol):
    """Where the things are that a command names."""

    async def get_app(self, app_id: str, owner_id: str) -> App:
        """The app. Raises AppNotFound, also for another owner's, once it had the time to arrive."""

    async def get_ring_of_pair(self, app_id: str, pair_id: str, owner_id: str) -> str:
        """The ring of the pair. Raises PairNotFound, also for another owner's."""

    async def get_subscription(self, app: App) -> Standing:
        """What the subscription that the app lives under says; one that nobody has heard of counts as ended."""


class KeyCommands:
    """Key pairs, on behalf of the context's tenant. `now` tells the database's time, by which deadlines are set and judged.

    `tell` hears of each ring with its public version before a command is answered, so that whoever judges keys in the same process
    knows of a revocation no later than the one who asked for it.
    """

    def __init__(
        self, keyrings: Aggregates[Keyring, KeyringEvent], whereabouts: Whereabouts, now: Callable[[], datetime],
        tell: Callable[[Keyring, int], None] = lambda _ring, _public_version: None,
    ) -> None:  # fmt: skip
        self._keyrings, self._whereabouts, self._now, self._tell = keyrings, whereabouts, now, tell

    async def generate(self, app_id: str, environment: Environment, rules: Rules, context: Context) -> Issued:
        """Make the app's first pair in this environment, or one after the last was turned off."""
        app = await self._whereabouts.get_app(app_id, context.tenant)
        place = Place(app.app_id, environment, app.owner_id)
        await self.follow_subscription(app, place, context)
        made, secret_key = _minted(environment, rules)
        decision = partial(decisions.generate, place=place, pair=made, now=self._now())
        decided = await self._decide(ring_of(place), decision, context, made.pair_id)
        return _issued(decided, secret_key)

    async def regenerate(self, app_id: str, pair_id: str, *, overlap_seconds: int, context: Context) -> Issued:
        """Make a new pair; the old one is refused at once, or when the overlap is over."""
        ring_id = await self._whereabouts.get_ring_of_pair(app_id, pair_id, context.tenant)
        environment = (await self._keyrings.load(ring_id)).state.place.environment
        made, secret_key = _minted(environment, Rules())
        decision = partial(decisions.regenerate, pair_id=pair_id, pair=made, overlap_seconds=overlap_seconds, now=self._now())
        decided = await self._decide(ring_id, decision, context, made.pair_id)
        return _issued(decided, secret_key)

    async def disable(self, app_id: str, pair_id: str, context: Context) -> Ring:
        """Refuse both keys of the pair until it is enabled."""
        return await self._change(app_id, pair_id, partial(decisions.disable, now=self._now()), context)

    async def enable(self, app_id: str, pair_id: str, context: Context) -> Ring:
        """Let a disabled pair work again."""
        return await self._change(app_id, pair_id, partial(decisions.enable, now=self._now()), context)

    async def revoke(self, app_id: str, pair_id: str, *, reason: str, context: Context) -> Ring:
        """Refuse both keys of the pair for ever."""
        return await self._change(app_id, pair_id, partial(decisions.revoke, reason=reason), context)

    async def finish_rotation(self, app_id: str, pair_id: str, context: Context) -> Ring:
        """End the overlap of a pair that was rotated."""
        return await self._change(app_id, pair_id, decisions.finish_rotation, context)

    async def roll_back(self, app_id: str, pair_id: str, context: Context) -> Ring:
        """Within the overlap, let the pair that was rotated be the active one again, and end its successor."""
        return await self._change(app_id, pair_id, partial(decisions.roll_back, now=self._now()), context)

    async def settle(self, ring_id: str, context: Context) -> Ring:
        """Write what time alone has brought about."""
        return await self._decide(ring_id, partial(decisions.settle, now=self._now()), context)

    async def stand(self, place: Place, standing: Standing, context: Context) -> Ring:
        """Take note of what a foreign stream says about the ring at this place."""
        return await self._decide(ring_of(place), partial(decisions.stand, place=place, standing=standing), context)

    async def erase(self, place: Place, standing: Standing, context: Context) -> Ring:
        """Turn the ring off for ever, because its account is gone."""
        return await self._decide(ring_of(place), partial(decisions.erase, place=place, standing=standing), context)

    async def follow_subscription(self, app: App, place: Place, context: Context) -> None:
        """Bring the ring in line with the subscription as it is known here.

        What was read may be old by the time it is written, and the reaction to the newer version may have found nothing to do yet;
        so it is read again until it has not moved.
        """
        plain = replace(context, expected=None, idempotency=None)
        standing = await self._whereabouts.get_subscription(app)
        while True:
            await self.stand(place, standing, plain)
            latest = await self._whereabouts.get_subscription(app)
            if latest == standing:
                return
            standing = latest

    async def _change(self, app_id: str, pair_id: str, decide: Callable[..., Sequence[KeyringEvent]], context: Context) -> Ring:
        ring_id = await self._whereabouts.get_ring_of_pair(app_id, pair_id, context.tenant)
        return await self._decide(ring_id, partial(decide, pair_id=pair_id), context)

    async def _decide(self, ring_id: str, decision: Decision, context: Context, pair_id: str = "") -> Ring:
        decided = await self._keyrings.decide(ring_id, decision, context, note=lambda: {"pair_id": pair_id} if pair_id else {})
        self._tell(decided.state, decided.public_version)
        return decided


def _minted(environment: Environment, rules: Rules) -> tuple[NewPair, str]:
    """A new pair and its secret key, which is in the answer and nowhere else: of it only digest and last four go on."""
    secret_key = make_key(Kind.SECRET, environment, secrets.token_bytes(ENTROPY_BYTES))
    public_key = make_key(Kind.PUBLIC, environment, secrets.token_bytes(ENTROPY_BYTES))
    made = NewPair(new_id("kp"), new_id("kl"), public_key, key_digest(secret_key).hex(), last_four(secret_key), **asdict(rules))
    return made, secret_key


def _issued(decided: Ring, secret_key: str) -> Issued:
    pair = decided.state.pair(decided.note["pair_id"])
    return Issued(decided, pair, None if decided.replayed else secret_key)
