"""The shapes of identity's requests and answers."""

import unicodedata
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from services.identity.commands.sessions import SignedIn
from services.identity.commands.tokens import ACCESS_SECONDS, SERVICE_SECONDS
from services.identity.queries import ProfileView, SessionView
from shared.http.schemas import Body


def _mailbox(text: str) -> str:
    """The address with its domain in ASCII (IDNA), so that one mailbox has one spelling."""
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError as wrong:
        raise ValueError(str(wrong)) from None
    if found.ascii_domain is None:
        raise ValueError("The part after the @ is not a domain")
    if "=?" in found.local_part:  # the beginning of an encoded word (RFC 2047): a mail's header would name another mailbox
        raise ValueError("The part before the @ must not contain =?")
    return f"{found.local_part}@{found.ascii_domain}"


def _shown(text: str) -> str:
    """A name as it is shown: composed, without control characters, without space around it."""
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text):
        raise ValueError("Control characters and line breaks are not allowed")
    return unicodedata.normalize("NFC", text)


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


Email = Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_mailbox)]
Name = Annotated[str, BeforeValidator(_stripped), Field(min_length=1, max_length=100), AfterValidator(_shown)]
NewPassword = Annotated[str, Field(min_length=8, max_length=128)]
Password = Annotated[str, Field(min_length=1, max_length=128)]
SixDigits = Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class Register(Body):
    email: Email
    password: NewPassword
    name: Name


class Verify(Body):
    email: Email
    code: SixDigits


class Address(Body):
    """The body of resend and forgot."""

    email: Email


class SignIn(Body):
    email: Email
    password: Password


class Refresh(Body):
    refresh_token: Annotated[str, Field(min_length=1, max_length=256)]


class Reset(Body):
    email: Email
    code: SixDigits
    password: NewPassword


class ChangePassword(Body):
    current_password: Password
    new_password: NewPassword


class ChangeProfile(Body):
    name: Name


class Accepted(BaseModel):
    """The same for every address, known or not."""

    status: Literal["accepted"] = "accepted"


class Account(BaseModel):
    account_id: str
    email: str
    name: str
    verified: bool
    registered_at: datetime
    version: int

    @classmethod
    def of(cls, view: ProfileView) -> Self:
        return cls.model_validate(view, from_attributes=True)


class Verified(Account):
    password_withdrawn: Annotated[bool, Field(description="Several were chosen, so none counts: choose one as a forgotten one")]


class Tokens(BaseModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name
    expires_in: int = ACCESS_SECONDS
    refresh_token: str
    session_id: str
    account_id: str

    @classmethod
    def of(cls, signed_in: SignedIn) -> Self:
        return cls.model_validate(signed_in, from_attributes=True)


class ServiceTokenAnswer(BaseModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name
    expires_in: int = SERVICE_SECONDS
    scope: str


class Session(BaseModel):
    session_id: str
    ip: str
    device: str
    started_at: datetime
    used_at: datetime
    expires_at: datetime
    current: bool

    @classmethod
    def of(cls, view: SessionView, current: str) -> Self:
        return cls(current=view.session_id == current, **asdict(view))


class SigningKey(BaseModel):
    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[SigningKey]
