"""The list of apps: what it is searched for and sorted by, as it stands in the URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self
from urllib.parse import urlencode

_NEWEST: Final = "-registered_at"
SORTS: Final[Sequence[tuple[str, str]]] = (
    (_NEWEST, "Newest first"), ("registered_at", "Oldest first"), ("name", "Name, A to Z"), ("-name", "Name, Z to A"),
    ("status", "Enabled first"), ("-status", "Disabled first"),
)  # fmt: skip
_KNOWN: Final = frozenset(sort for sort, _ in SORTS)


@dataclass(frozen=True, slots=True)
class Listing:
    """Of the apps: the words searched for, the order, and where the page begins."""

    q: str = ""
    sort: str = _NEWEST
    cursor: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """An order that there is not is the usual one. Another order begins at its first page, for a cursor is good for one alone."""
        sort = query.get("sort", "")
        return cls(query.get("q", ""), sort if sort in _KNOWN else _NEWEST, query.get("cursor", ""))

    def url(self, *, sort: str | None = None, cursor: str = "") -> str:
        """The page with this order, from its beginning or from a cursor on."""
        asked = {"q": self.q, "sort": sort or self.sort, "cursor": cursor}
        shown = {name: value for name, value in asked.items() if value and (name, value) != ("sort", _NEWEST)}
        return f"/pay?{urlencode(shown)}" if shown else "/pay"

    def turned(self, by: str) -> str:
        """Where the head of a column leads: to its order, or to the other way round."""
        ascending = by in {self.sort, "registered_at"} and self.sort != f"-{by}"
        return self.url(sort=f"-{by}" if ascending else by)

    def direction(self, by: str) -> Literal["ascending", "descending"] | None:
        """How a column is sorted now, in the words of aria-sort."""
        return {by: "ascending", f"-{by}": "descending"}.get(self.sort)  # type: ignore[return-value]  # both are of the literal
