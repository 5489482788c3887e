"""Parameters of a route that are known from the request alone: a part of the service, the version in If-Match, the caller."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Request

from shared.errors import PreconditionFailed, PreconditionRequired
from shared.http.refusals import BadIfMatch

T = TypeVar("T")
_VERSION: Final = re.compile(r'"(0|[1-9][0-9]{0,8})"')
_ENTITY_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')


def part(request: Request, kind: type[T]) -> T:
    """The object of this class that wiring gave to `create_app(provides=…)`."""
    found: T = request.app.state.parts[kind]
    return found


class Given(ABC):
    """A parameter of a route that is known from the request alone, as in `Annotated[Caller, PersonAccess()]`.

    It is found before the body is validated, and without FastAPI's dependency solver, whose cost for each parameter is that of
    validating a small body.
    """

    @abstractmethod
    def value(self, request: Request) -> Any:
        """What the parameter is given. May raise a Refusal."""


@dataclass(frozen=True)
class VersionMatch(Given):
    """The version in If-Match; None without it and for `*`, which names none."""

    required: bool

    def value(self, request: Request) -> int | None:
        """Raises BadIfMatch, PreconditionFailed for a tag that no version has, and PreconditionRequired without one that is needed."""
        tag = request.headers.get("if-match", "*").strip()
        if tag == "*":
            if self.required:
                raise PreconditionRequired
            return None
        found = _VERSION.fullmatch(tag)
        if found:
            return int(found[1])
        if _ENTITY_TAG.fullmatch(tag):
            raise PreconditionFailed  # a weak or foreign tag is well formed and never equal to a version
        raise BadIfMatch


@dataclass(frozen=True)
class Provided(Given):
    """An object of `create_app(provides=…)`, by its class."""

    kind: type

    def value(self, request: Request) -> Any:
        """See Given."""
        return part(request, self.kind)


def provided(kind: type) -> Provided:
    """Ask for an object of `create_app(provides=…)` by its class.

    A module of routes says `Commands = Annotated[KeyCommands, provided(KeyCommands)]`.
    """
    return Provided(kind)


IfMatch = Annotated[int, VersionMatch(required=True)]
MaybeIfMatch = Annotated[int | None, VersionMatch(required=False)]
