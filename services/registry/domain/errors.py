"""What registry may refuse."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.errors import Conflict, FieldError, Invalid, NotFound, TooLarge, Unavailable, UnsupportedMedia

FIELD_PROBLEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "required": "This field is mandatory.",
        "not_text": "This field is text.",
        "too_long": "This is longer than the field may be.",
        "characters": "There are characters in it that cannot be shown.",
        "name_length": "An app's name has 3 to 256 characters.",
        "email_invalid": "This is no e-mail address.",
        "phone_without_country_code": "Begin the number with + and the country's code.",
        "phone_invalid": "There is no such phone number.",
        "country_unknown": "This is no ISO 3166 country code of two letters.",
        "state_unknown": "This is no state of the app's country.",
        "postal_code_invalid": "The app's country has no postal codes of this form.",
        "domain_invalid": "Give a host name such as shop.example, without https:// and without a path.",
        "domain_is_address": "This is an address; give a host name such as shop.example.",
        "domain_one_label": "A host name has at least two parts, as in shop.example.",
        "domain_long": "A host name here has at most 233 characters.",
        "product_unknown": "There is no such product in the catalogue.",
    }
)
"""The sentence for each thing that can be wrong with a field; its public code is `registry.` and this key, with the field's name in front
of the first four."""

_OF_ANY_FIELD: Final = frozenset({"required", "not_text", "too_long", "characters"})


class WrongField(Exception):
    """A rule's verdict on one value; `problem` is a key of FIELD_PROBLEMS."""

    def __init__(self, problem: str) -> None:
        super().__init__(FIELD_PROBLEMS[problem])
        self.problem = problem


def field_error(field: str, problem: str) -> FieldError:
    """The public form of what is wrong with a field."""
    code = f"registry.{field}_{problem}" if problem in _OF_ANY_FIELD else f"registry.{problem}"
    return FieldError(f"/{field}", code, FIELD_PROBLEMS[problem])


def unknown_field(field: str) -> FieldError:
    """What every service says of a field that there is none of."""
    pointer = field.replace("~", "~0").replace("/", "~1")
    return FieldError(f"/{pointer}", "extra_forbidden", "There is no such field.")


class NameTaken(Conflict):
    code = "registry.name_taken"
    title = "Another app of yours has this name."


class NameTakenMeanwhile(Conflict):
    code = "registry.name_taken_meanwhile"
    title = "While this app was archived another app of yours took its name; rename that one first."


class NotSubscribed(Conflict):
    code = "registry.not_subscribed"
    title = "Subscribe to the product first."


class AppIsArchived(Conflict):
    code = "registry.app_archived"
    title = "The app is archived; restore it first."


class DomainNotFound(NotFound):
    code = "registry.domain_not_found"
    title = "The app has no such domain."


class TooManyDomains(Conflict):
    code = "registry.too_many_domains"
    title = "An app has at most 20 domains; remove one first."


class DomainUnproven(Conflict):
    code = "registry.domain_unproven"
    title = "The TXT record is not there yet, or says something else. New records may take minutes to be seen."


class DnsUnavailable(Unavailable):
    code = "registry.dns_unavailable"
    title = "The domain's name servers did not answer; nothing was changed. Try again shortly."


class NoLogo(NotFound):
    code = "registry.logo_not_found"
    title = "The app has no logo."


class LogoTooLarge(TooLarge):
    code = "registry.logo_too_large"
    title = "A logo has at most 102,400 bytes."


class LogoTypeRefused(UnsupportedMedia):
    code = "registry.logo_type"
    title = "A logo is a PNG or a JPEG, by its content."


class LogoUnreadable(Invalid):
    code = "registry.logo_unreadable"
    title = "The image is broken."


class LogoTooManyPixels(Invalid):
    code = "registry.logo_pixels"
    title = "A logo has at most 10,000,000 pixels."
