"""The page about growth says what the calculation says."""

from benchmarks.capacity import ASKED, MEASURED, plan
from stack.layout import ROOT

PAGE = (ROOT / "docs/growth.md").read_text("utf-8")


def test_the_page_shows_the_calculation() -> None:
    for what, much, unit in plan({**MEASURED, **ASKED}):
        assert f"{what:58} {much:10,.4g} {unit}".rstrip() in PAGE


def test_every_measured_input_stands_in_the_table() -> None:
    table = PAGE[: PAGE.index("## What is divided by what")]
    assert [name for name, value in MEASURED.items() if f"{value:,.0f}" not in table and name != "load_pair_us"] == []


def test_twice_the_transactions_take_twice_the_disk() -> None:
    once, twice = ({what: much for what, much, _ in plan({**MEASURED, **ASKED, "tx": tx})} for tx in (5e3, 10e3))
    growing = "growth of metrics' database, without its write-ahead log"
    assert twice[growing] == 2 * once[growing]
    assert twice["keys' database"] == once["keys' database"]
