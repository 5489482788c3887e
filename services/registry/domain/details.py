"""The form of an app: every field's rule, and all that is wrong with a form at once."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number
from phonenumbers import parse as parse_phone

from services.registry.domain import places
from services.registry.domain.errors import WrongField, field_error, unknown_field
from services.registry.domain.events import Contact
from shared.errors import FieldError, Invalid

NAME_LENGTH: Final = range(3, 257)
LONGEST: Final = {
    "name": 1024, "email": 254, "address": 1000, "country": 8, "state": 16, "city": 128, "postal_code": 32, "phone": 64,
}  # fmt: skip
OPTIONAL: Final = frozenset({"state", "city", "phone"})
Given = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Details:
    """A form that is right, each value in its one normal form."""

    name: str
    country: str
    state: str | None
    contact: Contact


def name(text: str) -> str:
    """Words with single spaces between them. Characters that take no room (joiners) do not count towards the least length."""
    shown = " ".join(text.split())
    if len(shown) not in NAME_LENGTH or len(folded(shown)) < NAME_LENGTH.start:
        raise WrongField("name_length")
    return shown


def folded(shown_name: str) -> str:
    """What two names have in common that people would take for the same: case, width and invisible characters do not tell them apart."""
    if shown_name.isascii():
        return " ".join(shown_name.lower().split())  # the same, for a fifth
    compatible = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown_name).casefold())
    return " ".join("".join(char for char in compatible if unicodedata.category(char) != "Cf").split())


def email(text: str) -> str:
    try:
        # Names under .test are as well-formed as others; whether mail arrives anywhere is not asked.
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as wrong:
        raise WrongField("email_invalid") from wrong


def phone(text: str) -> str:
    """E.164, from a number in any notation that begins with + and the country's code."""
    try:
        number = parse_phone(text, None)
    except NumberParseException as wrong:
        missing = wrong.error_type == NumberParseException.INVALID_COUNTRY_CODE and not text.startswith("+")
        raise WrongField("phone_without_country_code" if missing else "phone_invalid") from wrong
    if number.extension or not is_valid_number(number):
        raise WrongField("phone_invalid")
    return format_number(number, PhoneNumberFormat.E164)


_RULES: Final[Mapping[str, Callable[[str], str]]] = {
    "name": name, "email": email, "address": str, "country": places.country_code, "city": str, "phone": phone,
}  # fmt: skip
_RULES_BY_COUNTRY: Final[Mapping[str, Callable[[str, str], str]]] = {"state": places.state_code, "postal_code": places.postal_code}
FIELDS: Final = (*_RULES, *_RULES_BY_COUNTRY)


def new(given: Given, wrong: Sequence[FieldError] = ()) -> Details:
    """The details of a new app. Raises Invalid with everything that is wrong; `wrong` was found before."""
    form = _Form(dict.fromkeys(FIELDS) | dict(given), wrong)
    form.check(None)
    return _details(form.finished())


def changed(before: Details, given: Given, wrong: Sequence[FieldError] = ()) -> Details:
    """`before` with the given fields in place of its own; None clears an optional one. Raises Invalid with everything that is wrong.

    Another country clears a state that does not belong to it, and needs a postal code of its form.
    """
    old = _fields(before)
    form = _Form(given, wrong)
    country = form.check(before.country)
    if country not in {None, before.country}:
        if "state" not in given and old["state"] not in places.states(country or ""):
            old["state"] = None
        if "postal_code" not in given:
            form.take("postal_code", old["postal_code"], country)
    return _details(old | form.finished())


class _Form:
    """Values on their way to their normal form, and what was wrong with them."""

    def __init__(self, given: Given, wrong: Sequence[FieldError] = ()) -> None:
        self._given = given
        self._values: dict[str, str | None] = {}
        self._errors = [*wrong, *(unknown_field(field) for field in given if field not in FIELDS)]

    def check(self, country: str | None) -> str | None:
        """Check every given field; `country` counts where none is given. Answers the country, None when there is no right one."""
        for field in _RULES:
            if field in self._given:
                self.take(field, self._given[field])
        if "country" in self._given:
            country = self._values.get("country")
        for field in _RULES_BY_COUNTRY:
            if field in self._given:
                self.take(field, self._given[field], country)
        return country

    def take(self, field: str, value: object, country: str | None = None) -> None:
        try:
            self._values[field] = _normal(field, value, country)
        except WrongField as wrong:
            self._errors.append(field_error(field, wrong.problem))

    def finished(self) -> dict[str, str | None]:
        """Raises Invalid, with the errors in the order of the form."""
        if self._errors:
            raise Invalid(errors=tuple(self._errors))
        return self._values


def _normal(field: str, value: object, country: str | None) -> str | None:
    text = _text(field, value)
    if text is None:
        if field not in OPTIONAL:
            raise WrongField("required")
        return None
    if field in _RULES:
        return _RULES[field](text)
    # Without a country that exists there is nothing to hold the value against: the country's own error says enough.
    return _RULES_BY_COUNTRY[field](country, text) if country else text


def _text(field: str, value: object) -> str | None:
    """Trimmed and composed (NFC); nothing but space is nothing."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise WrongField("not_text")
    if len(value) > LONGEST[field]:
        raise WrongField("name_length" if field == "name" else "too_long")
    text = unicodedata.normalize("NFC", value).strip()
    allowed = "\r\n\t" if field == "address" else "\t"
    plain = text.isascii() and text.isprintable()  # as most are: looking at each character would cost as much as the rest of the form
    if not plain and any(unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"} and char not in allowed for char in text):
        raise WrongField("characters")
    return text or None


def _fields(details: Details) -> dict[str, str | None]:
    contact = details.contact
    return {
        "name": details.name, "country": details.country, "state": details.state, "email": contact.email, "address": contact.address,
        "postal_code": contact.postal_code, "city": contact.city, "phone": contact.phone,
    }  # fmt: skip


def _details(values: Mapping[str, str | None]) -> Details:
    contact = Contact(
        email=values["email"] or "", address=values["address"] or "", postal_code=values["postal_code"] or "",
        city=values["city"], phone=values["phone"],
    )  # fmt: skip
    return Details(values["name"] or "", values["country"] or "", values["state"], contact)


def differing(before: Details, after: Details) -> Sequence[str]:
    """The names of the fields in which two forms differ."""
    old, new_ = _fields(before), _fields(after)
    return [field for field in FIELDS if old[field] != new_[field]]
