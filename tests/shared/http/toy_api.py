"""A service as small as one can be, with every feature of the HTTP kit in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Response
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, Field

from shared.errors import Conflict, Gone, NotFound, TooManyRequests
from shared.http.app import ServiceApp, create_app
from shared.http.caller import Anyone, Caller, IfMatch, MaybeIfMatch, Person, requires
from shared.http.headers import EventPosition, no_store, tagged, versioned, wait_for
from shared.http.health import Check
from shared.http.paging import Cursors, CursorText, Limit, Page
from shared.http.revocations import Heard
from shared.http.routing import UNKEYED, Router, provided
from shared.http.schemas import Body
from shared.http.tokens import TokenChecker
from shared.settings import ServiceSettings
from shared.store.records import Context
from tests.tokens import OneKey

MASTER = bytes(range(100, 132))


@dataclass
class Things:
    """Stands for commands and queries: remembers the contexts it was given."""

    contexts: list[Context] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    raises: Exception | None = None
    seen: dict[str, int] = field(default_factory=dict)

    def command(self, context: Context) -> "Left":
        self.contexts.append(context)
        if self.raises:
            raise self.raises
        return Left("thing_1", 3, 2)

    async def reached(self, stream_id: str, version: int) -> bool:
        return self.seen.get(stream_id, 0) >= version


@dataclass(frozen=True)
class Left:
    stream_id: str
    version: int
    public_version: int


class Register(Body):
    name: Annotated[str, Field(min_length=2, max_length=80)]
    size: Annotated[int, Field(ge=1)] = 1
    tags: tuple[Annotated[str, Field(max_length=5)], ...] = ()


class SignUp(Body):
    email: str


class Thing(BaseModel):
    thing_id: str
    version: int


class Number(BaseModel):
    number: int


router = Router(prefix="/v1", tags=["things"])
Parts = Annotated[Things, provided(Things)]
Signer = Annotated[Cursors, provided(Cursors)]


@router.post("/things", status_code=201)
async def register(body: Register, caller: Person, things: Parts, response: Response) -> Thing:
    """Register a thing."""
    decided = things.command(caller.context())
    versioned(response, "toy", decided)
    assert len(body.name) > 1
    return Thing(thing_id=decided.stream_id, version=decided.version)


@router.patch("/things/{thing_id}")
async def change(thing_id: str, body: Register, caller: Person, version: IfMatch, things: Parts, response: Response) -> Thing:
    """Change a thing."""
    decided = things.command(caller.context(version))
    versioned(response, "toy", decided)
    assert len(body.name) > 1
    return Thing(thing_id=thing_id, version=decided.version)


@router.post("/things/{thing_id}/disable")
async def disable(thing_id: str, caller: Person, version: MaybeIfMatch, things: Parts) -> Thing:
    """Disable a thing."""
    return Thing(thing_id=thing_id, version=things.command(caller.context(version)).version)


@router.get("/things/{thing_id}")
async def get_thing(thing_id: str, caller: Person, things: Parts, response: Response, position: EventPosition = None) -> Thing:
    """Read a thing of another service."""
    await wait_for(position, "toy", things, seconds=0.1)
    things.callers.append(caller)
    match thing_id:
        case "missing":
            raise NotFound
        case "gone":
            raise Gone
        case "busy":
            raise TooManyRequests(retry_after=6.2)
        case "taken":
            raise Conflict("Another one has it.")
        case "broken":
            raise RuntimeError("the password is hunter2")
        case _:
            pass
    if things.raises:
        raise things.raises
    tagged(response, 3)
    return Thing(thing_id=thing_id, version=3)


@router.get("/numbers")
async def list_numbers(caller: Person, cursors: Signer, limit: Limit = 2, cursor: CursorText = None, even: bool = False) -> Page[Number]:
    """List five numbers."""
    after = cursors.read(cursor, "numbers", caller.account_id, even)
    rows = [n for n in range(1, 6) if n > (after["n"] if after else 0) and not (even and n % 2)]
    return Page[Number].of(
        rows[: limit + 1], limit, lambda n: cursors.make({"n": n}, "numbers", caller.account_id, even), lambda n: Number(number=n)
    )


@router.post("/accounts", status_code=202)
async def sign_up(body: SignUp, caller: Anyone, things: Parts) -> Thing:
    """Sign up without a credential."""
    return Thing(thing_id="acc_9", version=things.command(caller.context(tenant="acc_9", email=body.email)).version)


@router.post("/sessions", status_code=201, openapi_extra=UNKEYED)
async def sign_in(body: SignUp, caller: Anyone, things: Parts, response: Response) -> Thing:
    """Sign in: takes no Idempotency-Key."""
    no_store(response)
    assert body is not None
    return Thing(thing_id="ses_9", version=things.command(caller.context(tenant="acc_9")).version)


@router.get("/feed")
async def feed(caller: Annotated[Caller, requires("feed:toy")]) -> Number:
    """Read the feed as a machine."""
    return Number(number=len(caller.scopes))


def settings(**changed: Any) -> ServiceSettings:
    values: dict[str, Any] = {
        "database_url": "postgres://nobody", "read_database_url": "postgres://nobody", "redis_url": "redis://nobody",
        "kafka_bootstrap": "nobody", "identity_url": "http://nobody", "port": 9, "master_key": MASTER,
    }  # fmt: skip
    return ServiceSettings(**(values | changed))


def toy(
    things: Things,
    heard: Heard | None = None,
    *,
    ready: tuple[Check, ...] = (),
    extra: Sequence[Router] = (),
    limit: int = 1_000,
    **changed: Any,
) -> ServiceApp:
    return create_app(
        "toy", routers=[router, *extra], provides=[things], tokens=TokenChecker(OneKey(), heard or Heard()), settings=settings(**changed),
        ready=ready, body_limit=limit, registry=CollectorRegistry(),
    )  # fmt: skip
