"""A form keeps what was entered and shows each thing that is wrong at its field."""

import pytest

from portal.apis.calls import Away, FieldProblem, Problem, Refused
from portal.forms import Form, key_of, version_of


def refusal(*errors: tuple[str, str, str], code: str = "request.invalid", title: str = "Some fields are not right.") -> Refused:
    problems = [FieldProblem(pointer=pointer, code=code, detail=detail) for pointer, code, detail in errors]
    return Refused("registry", Problem(status=422, code=code, title=title, detail=title, errors=problems))


def test_only_the_form_s_own_fields_are_taken_and_a_missing_one_is_empty() -> None:
    form = Form.sent({"name": "Shop", "csrf": "x", "logo": object()}, ("name", "city"))
    assert form.values == {"name": "Shop", "city": ""}
    assert form.given() == {"name": "Shop", "city": None}


def test_every_error_stands_at_its_field_in_the_order_of_the_form_and_the_input_is_kept() -> None:
    form = Form({"name": "x", "email": "nope", "city": ""})
    marked = form.refused(refusal(("/email", "registry.email_invalid", "No address."), ("/name", "registry.name_length", "Too short.")))
    assert list(marked.errors.items()) == [("name", "Too short."), ("email", "No address.")]
    assert marked.values == form.values
    assert marked.wrong


def test_an_error_of_a_field_that_is_not_on_the_page_is_not_lost() -> None:
    marked = Form({"name": "x"}).refused(refusal(("/country", "registry.country_unknown", "No such country.")))
    assert (marked.errors, marked.problem) == ({}, "No such country.")


def test_a_better_sentence_is_found_by_field_and_code_then_by_code() -> None:
    sentences = {"email.value_error": "Enter an address.", "other": "Other."}
    marked = Form({"email": "", "name": ""}).refused(refusal(("/email", "value_error", "raw"), ("/name", "other", "raw")), sentences)
    assert marked.errors == {"email": "Enter an address.", "name": "Other."}


def test_a_refusal_of_the_whole_is_said_above_the_form() -> None:
    assert Form({"a": ""}).refused(refusal(code="x.y", title="Not now.")).problem == "Not now."
    assert Form({"a": ""}).refused(refusal(code="x.y"), {"x.y": "Better."}).problem == "Better."


def test_a_service_that_is_away_is_said_above_the_form() -> None:
    marked = Form({"a": "kept"}).refused(Away("registry"))
    assert marked.values == {"a": "kept"}
    assert "registry service does not answer" in marked.problem


@pytest.mark.parametrize("sent", ["", "x", "-1", "1e3", "9" * 4_301, "\u0661", "1\r\nx: y", object(), None])
def test_a_version_or_key_that_somebody_made_up_harms_nothing(sent: object) -> None:
    assert version_of({"version": sent}) == 0
    made = key_of({"key": sent})
    assert made.isascii()
    assert made.isprintable()
    assert 1 <= len(made) <= 255


def test_a_version_and_a_key_of_ours_are_taken_as_they_are() -> None:
    assert (version_of({"version": "12"}), key_of({"key": "k-1"})) == (12, "k-1")
