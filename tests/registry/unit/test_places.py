"""S24, S25, S27: countries, their states and their postal codes."""

import tracemalloc

import pytest

from services.registry.domain import details, places
from shared.errors import NotFound
from tests.registry.builders import a_form, wide, wrong

pytestmark = pytest.mark.slow  # it loads the tables of all countries


def test_s24_countries_are_iso_3166_in_the_order_of_their_names() -> None:
    countries = places.countries()
    assert len(countries) == len({country.code for country in countries}) == 249
    assert [country.code for country in countries[:3]] == ["AF", "AX", "AL"]


def test_s24_a_country_says_what_the_form_may_ask() -> None:
    india, hong_kong = places.find_country("IN"), places.find_country("HK")
    assert india == places.Country("IN", "India", "+91", r"\d{6}", "110034", has_states=True)
    assert hong_kong == places.Country("HK", "Hong Kong", "+852", None, None, has_states=False)


@pytest.mark.parametrize("code", ["XX", "USA", "U", "🇺🇸", "united states", "--", "../etc"])
def test_s24_other_countries_are_refused(code: str) -> None:
    found = wrong(country=code, state=..., postal_code="1")
    assert [pointer for pointer, _ in found] == ["/country"]


def test_asking_for_what_is_no_country_costs_no_memory() -> None:
    places.find_country("IN")
    tracemalloc.start()
    for number in range(100):
        assert places.find_country("X" * 10_000 + str(number)) is None
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000


def test_s25_states_are_listed_by_name() -> None:
    found = places.states_of("US")
    assert len(found) == 57
    assert found[0] == places.State("US-AL", "Alabama", "State", None)
    assert places.states_of("HK") == ()
    with pytest.raises(NotFound):
        places.states_of("XX")


@pytest.mark.parametrize(("state", "kept"), [("US-PA", "US-PA"), ("us-pa", "US-PA"), ("PA", "US-PA"), (" pa ", "US-PA")])
def test_s25_a_state_of_the_country(state: str, kept: str) -> None:
    assert details.new(a_form(state=state)).state == kept


@pytest.mark.parametrize("state", ["DE-BY", "US-XX", "Pennsylvania?", "US-"])
def test_s25_a_state_of_no_or_another_country(state: str) -> None:
    assert wrong(state=state) == [("/state", "registry.state_unknown")]


@pytest.mark.parametrize(
    ("country", "code", "kept"),
    [
        ("US", "19003", "19003"), ("US", "19003-1234", "19003-1234"), ("GB", "sw1a 1aa", "SW1A 1AA"), ("GB", "BFPO 61", "BFPO 61"),
        ("IN", "110034", "110034"), ("IN", "११००३४", "110034"), ("JP", wide("154-0023"), "154-0023"), ("CA", "k1a 0b1", "K1A 0B1"),
        ("NL", "1234 AB", "1234 AB"), ("HK", "none", "NONE"), ("AE", "00000", "00000"),
    ],
)  # fmt: skip
def test_s27_postal_codes_in_the_form_of_the_country(country: str, code: str, kept: str) -> None:
    assert details.new(a_form(country=country, state=None, postal_code=code)).contact.postal_code == kept


@pytest.mark.parametrize(
    ("country", "code"),
    [("US", "1900"), ("US", "19003x"), ("GB", "19003"), ("GB", "xSW1A 1AA"), ("GB", "GIR 0AAx"), ("DE", "2613"), ("IN", "11003I")],
)
def test_s27_postal_codes_in_another_form(country: str, code: str) -> None:
    assert wrong(country=country, state=None, postal_code=code) == [("/postal_code", "registry.postal_code_invalid")]
