"""A form on its way to the page: what was entered, and what is wrong with it, field by field."""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from portal.apis.calls import Away, Refused

_SENTENCES: Final[Mapping[str, str]] = {
    "string_too_short": "This is too short.",
    "string_too_long": "This is too long.",
    "string_pattern_mismatch": "This does not have the right form.",
    "missing": "This field is mandatory.",
}
"""Plainer words for what a service says of the shape of a body."""
_VERSION: Final = re.compile(r"[0-9]{1,9}")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def new_key() -> str:
    """An idempotency key for a form: sent twice, it does what it does once."""
    return secrets.token_urlsafe(18)


def key_of(sent: Mapping[str, Any]) -> str:
    """The idempotency key that a form brought; another one for what is none."""
    key = sent.get("key")
    return key if isinstance(key, str) and _KEY.fullmatch(key) else new_key()


def version_of(sent: Mapping[str, Any]) -> int:
    """The version that a form was made from; 0, which nothing that exists has, for what is none."""
    version = sent.get("version")
    return int(version) if isinstance(version, str) and _VERSION.fullmatch(version) else 0


@dataclass(frozen=True, slots=True)
class Form:
    """`values` by field; `errors` by field, in the order in which they are shown; `problem` concerns the form as a whole."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def sent(cls, form: Mapping[str, Any], names: Sequence[str]) -> Self:
        """The text fields of a form that a browser sent; a field that is missing is empty."""
        return cls({name: value if isinstance(value := form.get(name), str) else "" for name in names})

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def given(self) -> dict[str, str | None]:
        """The values as a service takes them: nothing for an empty field."""
        return {name: value or None for name, value in self.values.items()}

    @property
    def wrong(self) -> bool:
        """Whether there is anything to mend."""
        return bool(self.errors or self.problem)

    def with_errors(self, errors: Mapping[str, str], problem: str = "") -> "Form":
        """The same form, with what is wrong with it."""
        return Form(self.values, errors, problem)

    def refused(self, refused: Refused | Away, sentences: Mapping[str, str] | None = None) -> "Form":
        """The same form with what a service found. `sentences` has better words by code, or by `field.code`, for this form."""
        if isinstance(refused, Away):
            return self.with_errors({}, f"{refused.sentence} Nothing was changed; send the form again in a moment.")
        words = {**_SENTENCES, **(sentences or {})}
        errors = dict(self._named(refused, words))
        shown = {name: errors[name] for name in self.values if name in errors}
        rest = " ".join(sentence for name, sentence in errors.items() if name not in shown)
        if errors:
            return self.with_errors(shown, rest)
        return self.with_errors({}, words.get(refused.code, refused.problem.detail or refused.problem.title))

    def _named(self, refused: Refused, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for wrong in refused.problem.errors:
            name = wrong.pointer.strip("/").partition("/")[0]
            yield name, words.get(f"{name}.{wrong.code}") or words.get(wrong.code) or wrong.detail
