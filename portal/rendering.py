"""Templates: Jinja2 with escaping on, and the few things that every template may use."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from portal.apis.calls import Away
from portal.assets import FOLDER as STATIC
from portal.assets import Assets

FOLDER: Final = Path(__file__).parent / "templates"


class Pages:
    """Renders templates. A name that a template uses and nobody gave is an error, not an empty text."""

    def __init__(self, assets: Assets) -> None:
        self._jinja = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
            auto_reload=False, cache_size=-1,
        )  # fmt: skip
        self._jinja.globals |= {"asset": assets.url, "icon": _Icons(STATIC / "icons")}
        self._jinja.filters |= {"when": when, "day": day, "number": number, "amount": amount, "device": device}
        self._jinja.tests |= {"away": lambda thing: isinstance(thing, Away)}

    def compile(self) -> None:
        """Compile every template now, so that no visitor waits for it."""
        for name in self._jinja.list_templates():
            self._jinja.get_template(name)

    def render(self, template: str, **context: Any) -> str:
        """The page's HTML."""
        return self._jinja.get_template(template).render(**context)


class _Icons:
    """`icon(name)`: the SVG of static/icons, inline, in the colour of the text beside it and hidden from screen readers."""

    def __init__(self, folder: Path) -> None:
        self._svg = {file.stem: Markup(file.read_text("utf-8").strip()) for file in folder.glob("*.svg")}  # noqa: S704  # our own files

    def __call__(self, name: str) -> Markup:
        return self._svg[name]


@pass_context
def when(context: Context, moment: datetime) -> Markup:
    """A moment in the page's time zone, with the zone; the exact one stands in the element."""
    local = moment.astimezone(_zone(context))
    text = f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), text)


@pass_context
def day(context: Context, moment: datetime) -> Markup:
    """The day of a moment in the page's time zone."""
    local = moment.astimezone(ZoneInfo(context["session"].zone))
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), f"{local.day} {local:%b %Y}")


def _zone(context: Context) -> ZoneInfo:
    """The zone that the page shows: its own, when it has one, or that of the session."""
    return ZoneInfo(context.get("zone") or context["session"].zone)


def amount(value: str) -> str:
    """A decimal number with thousands apart, its decimals as they are."""
    return f"{Decimal(value):,f}"


def number(value: int) -> str:
    """A count with thousands apart."""
    return f"{value:,}"


_BROWSERS: Final = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """What people call the browser that a User-Agent stands for; its first word where we do not know it."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), user_agent.partition("/")[0] or "Unknown")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
