"""The shapes that every API shares: a request body, a page, a problem."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Body(BaseModel):
    """A request body: unknown fields are refused, text is never made of a number, surrounding space is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(BaseModel, Generic[T]):
    """A part of a list; `next_cursor` is null on the last page."""

    items: Sequence[T]
    next_cursor: str | None

    @classmethod
    def of(cls, rows: Sequence[Any], limit: int, cursor: Callable[[Any], str], shape: Callable[[Any], T] | None = None) -> Self:
        """The page of rows that were asked for with `limit + 1`: the one too many only says that there is more."""
        shown = rows[:limit]
        items = [shape(row) for row in shown] if shape else shown
        return cls(items=items, next_cursor=cursor(shown[-1]) if len(rows) > limit else None)


class FieldProblem(BaseModel):
    """One wrong field: an RFC 6901 pointer into the body, or the name of a parameter."""

    pointer: str
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details with our stable `code`; docs/errors.md lists every code."""

    type: str = Field(examples=["urn:latchkey:problem:request.invalid"])
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[FieldProblem]
