"""The filters of an app's numbers: as they stand in the URL, and as the API is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Final, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

PRESETS: Final[Mapping[str, str]] = {
    "": "All time", "today": "Today", "7d": "7 days", "30d": "30 days", "90d": "90 days",
}  # fmt: skip
_DAYS: Final = {"today": 1, "7d": 7, "30d": 30, "90d": 90}
STATUSES: Final[Mapping[str, str]] = {
    "created": "Created", "pending": "Pending", "authorized": "Authorized", "succeeded": "Succeeded", "failed": "Failed",
    "cancelled": "Cancelled", "refunded": "Refunded", "partially_refunded": "Partially refunded", "disputed": "Disputed",
}  # fmt: skip
KINDS: Final[Mapping[str, str]] = {
    "created": "", "pending": "warn", "authorized": "info", "succeeded": "good", "failed": "bad", "cancelled": "", "refunded": "info",
    "partially_refunded": "info", "disputed": "warn",
}  # fmt: skip
"""The colour of each status."""
ENVIRONMENTS: Final[Mapping[str, str]] = {"live": "Live", "test": "Test"}
ZONES: Final = (
    "UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Anchorage", "America/Argentina/Buenos_Aires",
    "America/Bogota", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Mexico_City", "America/New_York",
    "America/Sao_Paulo", "America/Toronto", "Asia/Dhaka", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Jakarta", "Asia/Karachi", "Asia/Kathmandu",
    "Asia/Kolkata", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Tehran", "Asia/Tokyo", "Australia/Sydney", "Europe/Berlin",
    "Europe/Istanbul", "Europe/London", "Europe/Moscow", "Europe/Paris", "Pacific/Auckland", "Pacific/Honolulu",
)  # fmt: skip
"""Offered beside the zone of the account, which may be any; a link may name any, too."""
_PARAMETERS: Final = {"first": "from", "last": "to", "zone": "tz", "preset": "range"}
_LONGEST: Final = 128
_HOURLY, _DAILY = 2, 120  # days, at most, that are drawn by the hour and by the day
_DATE: Final = "Enter a date as year-month-day, such as 2026-01-31."


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked for; empty is no filter. Dates typed by hand win over a preset."""

    zone: str
    preset: str = ""
    first: str = ""
    last: str = ""
    status: str = ""
    currency: str = ""
    environment: str = ""
    pair_id: str = ""
    payment_mode: str = ""
    transaction_id: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str], zone: str) -> Self:
        """From a query string. What is no filter of ours is left aside, and so is a zone that does not exist: `zone` holds then."""
        said = {name: query.get(_PARAMETERS.get(name, name), "").strip()[:_LONGEST] for name in _NAMES}
        said["zone"] = said["zone"] if _is_zone(said["zone"]) else zone
        known = {"status": STATUSES, "environment": ENVIRONMENTS, "preset": PRESETS}
        said |= {name: "" for name, values in known.items() if said[name] not in values}
        if said["first"] or said["last"]:
            said["preset"] = ""
        return cls(**said | {"currency": said["currency"].upper()})

    @property
    def wrong(self) -> dict[str, str]:
        """Dates that are none, each with a sentence, by the name of its field."""
        return {_PARAMETERS[name]: _DATE for name in ("first", "last") if (text := getattr(self, name)) and not _is_date(text)}

    @property
    def narrowed(self) -> bool:
        """Whether anything is filtered out."""
        return any(getattr(self, name) for name in _NAMES if name != "zone")

    @property
    def dated(self) -> bool:
        """Whether dates were typed by hand."""
        return bool(self.first or self.last)

    @property
    def cleared(self) -> "Filters":
        """No filter, in the same zone."""
        return Filters(self.zone)

    @property
    def span_words(self) -> str:
        """The dates in words."""
        return f"{self.first} to {self.last}" if self.dated else PRESETS[self.preset]

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """The filters in use beside the dates: name, label, value as it is shown."""
        shown = {"status": STATUSES, "environment": ENVIRONMENTS}
        return [(name, label, shown.get(name, {}).get(value, value)) for name, label in _CHIPS.items() if (value := getattr(self, name))]

    @property
    def tzinfo(self) -> ZoneInfo:
        """The zone in which days are meant."""
        return ZoneInfo(self.zone)

    def asked(self, now: datetime) -> dict[str, str]:
        """The parameters of metrics' API; a preset becomes its dates, today in the zone included."""
        found = {_PARAMETERS.get(name, name): getattr(self, name) for name in _NAMES if name != "preset" and getattr(self, name)}
        if self.preset:
            today = now.astimezone(self.tzinfo).date()
            found |= {"from": str(today - timedelta(days=_DAYS[self.preset] - 1)), "to": str(today)}
        return found

    def days(self, now: datetime) -> int | None:
        """How many days the dates span; None when nothing bounds them, or they are wrong."""
        asked = self.asked(now)
        if "from" not in asked or "to" not in asked or self.wrong:
            return None
        return (date.fromisoformat(asked["to"]) - date.fromisoformat(asked["from"])).days + 1

    def fields(self) -> dict[str, str]:
        """The values of the form, by the names of its fields."""
        return {_PARAMETERS.get(name, name): getattr(self, name) for name in _NAMES}

    def url(self, path: str, **changes: str) -> str:
        """The path with these filters in its query, some of them changed; with the zone, so that a link means the same to everybody."""
        values = {name: changes.get(name, getattr(self, name)) for name in _NAMES}
        rest = {name: value for name, value in changes.items() if name not in values}
        query = {_PARAMETERS.get(name, name): value for name, value in {**values, **rest}.items() if value}
        return f"{path}?{urlencode(query)}"


_NAMES: Final = tuple(one.name for one in fields(Filters))


_CHIPS: Final = {
    "transaction_id": "Transaction ID", "status": "Status", "currency": "Currency", "environment": "Environment", "pair_id": "API key",
    "payment_mode": "Payment mode",
}  # fmt: skip


def bucket_of(days: int) -> str:
    """How long a point of the chart should be, so that there are neither a handful nor hundreds."""
    return "hour" if days <= _HOURLY else "day" if days <= _DAILY else "week"


def _is_zone(name: str) -> bool:
    try:
        return bool(name) and ZoneInfo(name).key == name
    except (KeyError, ValueError, OSError):
        return False


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
