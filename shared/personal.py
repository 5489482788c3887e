"""How a domain event says that a field is personal: `email: Personal[str]` is encrypted in the log and becomes `ERASED` once shredded."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Erased:
    """What is left of a personal field whose subject was erased."""

    erased: Literal[True] = True


ERASED: Final = Erased()
PERSONAL: Final = "personal"

Personal = Annotated[T | Erased, PERSONAL]


def readable(value: T | Erased) -> T | None:
    """The value, or None when it was erased: what a read model stores."""
    return None if isinstance(value, Erased) else value
