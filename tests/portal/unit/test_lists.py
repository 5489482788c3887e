"""The order of the list of apps lives in its URL."""

import pytest

from portal.lists import Listing


def test_what_the_url_says_comes_back_in_the_links_of_the_page() -> None:
    listing = Listing.read({"q": "Café & Co", "sort": "-name", "cursor": "abc"})
    assert listing.url() == "/pay?q=Caf%C3%A9+%26+Co&sort=-name"
    assert listing.url(cursor="next=") == "/pay?q=Caf%C3%A9+%26+Co&sort=-name&cursor=next%3D"


@pytest.mark.parametrize("sort", ["", "email", "name desc", "--name"])
def test_an_order_that_there_is_not_is_the_usual_one(sort: str) -> None:
    assert Listing.read({"sort": sort}) == Listing()
    assert Listing().url() == "/pay"


def test_a_head_leads_to_its_order_and_then_the_other_way_round_from_the_first_page() -> None:
    listing = Listing(cursor="abc")
    assert (listing.direction("registered_at"), listing.direction("name")) == ("descending", None)
    assert (listing.turned("registered_at"), listing.turned("name")) == ("/pay?sort=registered_at", "/pay?sort=name")
    by_name = Listing(sort="name")
    assert (by_name.direction("name"), by_name.turned("name"), by_name.turned("registered_at")) == ("ascending", "/pay?sort=-name", "/pay")
    assert Listing(sort="-name").turned("name") == "/pay?sort=name"
