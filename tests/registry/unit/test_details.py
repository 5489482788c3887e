"""S20–S29: every rule of the form, and all that is wrong at once."""

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from services.registry.domain import details
from services.registry.domain.details import folded
from tests.registry.builders import CONTACT, a_form, contact, wide, wrong


def test_a_right_form_is_kept_in_normal_form() -> None:
    form = details.new(
        a_form(name="  Corner\t Shop ", email="shop@EXAMPLE.com ", country="us", state="pa", phone="+1 (215) 619-9900", city=" Ardmore")
    )
    assert (form.name, form.country, form.state, form.contact) == ("Corner Shop", "US", "US-PA", CONTACT)


def test_optional_fields_may_be_left_out_or_empty() -> None:
    for nothing in (..., None, "", "   "):
        form = details.new(a_form(state=nothing, city=nothing, phone=nothing))
        assert (form.state, form.contact) == (None, contact(city=None, phone=None))


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = wrong(name="x", email="nope", address=..., country="XX", phone="0123", postal_code="", city=5, colour="red", **{"a/b~": 1})
    assert found == [
        ("/colour", "extra_forbidden"),
        ("/a~1b~0", "extra_forbidden"),
        ("/name", "registry.name_length"),
        ("/email", "registry.email_invalid"),
        ("/address", "registry.address_required"),
        ("/country", "registry.country_unknown"),
        ("/city", "registry.city_not_text"),
        ("/phone", "registry.phone_without_country_code"),
        ("/postal_code", "registry.postal_code_required"),
    ]


@pytest.mark.parametrize("field", ["name", "email", "address", "country", "postal_code"])
@pytest.mark.parametrize("nothing", [..., None, "", " \t "])
def test_s20_to_s27_mandatory_fields(field: str, nothing: object) -> None:
    assert (f"/{field}", f"registry.{field}_required") in wrong(**{field: nothing})


@pytest.mark.parametrize("field", details.FIELDS)
@pytest.mark.parametrize("value", [5, True, ["x"], {"x": 1}])
def test_a_field_is_text(field: str, value: object) -> None:
    assert (f"/{field}", f"registry.{field}_not_text") in wrong(**{field: value})


@pytest.mark.parametrize("field", [field for field in details.FIELDS if field != "name"])
def test_no_field_is_endless(field: str) -> None:
    assert (f"/{field}", f"registry.{field}_too_long") in wrong(**{field: "1" * 100_000})


@pytest.mark.parametrize("field", ["name", "address", "city"])
@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x85", "\ud800", "\ue000"])
def test_characters_that_cannot_be_shown_are_refused(field: str, character: str) -> None:
    assert wrong(**{field: f"Corner{character}Shop"}) == [(f"/{field}", f"registry.{field}_characters")]


def test_s22_an_address_is_free_text_of_many_lines() -> None:
    assert details.new(a_form(address="1 High Street\nArdmore\r\nP.O. Box 7")).contact.address == "1 High Street\nArdmore\r\nP.O. Box 7"
    assert wrong(city="Ard\nmore") == [("/city", "registry.city_characters")]


@pytest.mark.parametrize("name", ["abc", "x" * 256, "東京店", "Ünïcödé", "مقهى القاهرة", "A&B", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦"])
def test_s20_names_of_3_to_256_characters_in_any_script(name: str) -> None:
    assert details.new(a_form(name=name)).name == name


@pytest.mark.parametrize("name", ["ab", " a b"[:3], "x" * 257, "x" * 5000, "a\u200b\u200bb", "\u200b\u200b\u200b"])
def test_s20_names_that_are_too_short_or_too_long(name: str) -> None:
    assert wrong(name=name) == [("/name", "registry.name_length")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Corner Shop", "corner shop"), ("STRASSE", "straße"), (wide("Corner Shop"), "Corner Shop"), ("Cafe\u0301 Uno", "Café Uno"),
        ("Cor\u200bner Shop", "Corner Shop"), ("ΟΔΟΣ", "οδος"), ("ﬁx it", "FIX IT"),
    ],
)  # fmt: skip
def test_s20_names_that_people_take_for_the_same_are_the_same(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_s20_different_names_stay_different() -> None:
    assert len({folded(name) for name in ("Corner Shop", "Corner Shop 2", "CornerShop", "東京店", "大阪店")}) == 5


@settings(max_examples=60)
@examples(st.text(min_size=1, max_size=40))
def test_folding_is_done_once_and_for_all(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize("address", ["a@b.example", "o'neil+tag@sub.domain.co", "böb@exämple.de", "用户@例子.公司", "ops@shop.test"])
def test_s21_addresses_of_right_form(address: str) -> None:
    assert details.new(a_form(email=address)).contact.email == address


@pytest.mark.parametrize(
    "address", ["nope", "a@", "@b.example", "a b@c.example", "a@b", "a@b..example", "a@b.example, c@d", "<a@b.example>"]
)
def test_s21_addresses_of_wrong_form(address: str) -> None:
    assert wrong(email=address) == [("/email", "registry.email_invalid")]


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("+44 20 7946 0958", "+442079460958"), ("+91 98765 43210", "+919876543210"), (wide("+1 215 619 9900"), "+12156199900"),
        ("+49 (0)30 901820", "+4930901820"),
    ],
)  # fmt: skip
def test_s23_numbers_are_kept_as_e164(number: str, kept: str) -> None:
    assert details.new(a_form(phone=number)).contact.phone == kept


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("215 619 9900", "phone_without_country_code"), ("00442079460958", "phone_without_country_code"), ("+1 215", "phone_invalid"),
        ("+999 12345678", "phone_invalid"), ("+1 215 619 9900 ext 7", "phone_invalid"), ("call me", "phone_invalid"),
        ("+", "phone_invalid"),
    ],
)  # fmt: skip
def test_s23_numbers_that_are_refused(number: str, code: str) -> None:
    assert wrong(phone=number) == [("/phone", f"registry.{code}")]
