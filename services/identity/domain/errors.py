"""What identity refuses, each with its own code."""

from shared.errors import Conflict, Forbidden, Gone, Invalid, NotFound, TooManyRequests, Unauthenticated, Unavailable


class EmailTaken(Conflict):
    """Never shown: whoever registers a taken address gets the same 202 as everybody, and its owner a mail."""

    code = "identity.email_taken"
    title = "This address belongs to an account."


class CodeRefused(Invalid):
    code = "identity.code_refused"
    title = "This code is wrong or no longer good. Ask for a new one."


class PasswordTooWeak(Invalid):
    code = "identity.password_too_weak"
    title = "This password is too easy to guess."


class SignInRefused(Unauthenticated):
    """One answer for an unknown address, a wrong password and a locked account."""

    code = "identity.sign_in_refused"
    title = "This e-mail and password do not open an account, or it is locked for some minutes."


class AccountUnverified(Forbidden):
    """Only for somebody who sent the right password."""

    code = "identity.account_unverified"
    title = "Enter the code from our mail first, then sign in."


class PasswordWrong(Forbidden):
    code = "identity.password_wrong"
    title = "The current password is not right, or the account is locked for some minutes."


class RefreshRefused(Unauthenticated):
    code = "identity.refresh_refused"
    title = "This refresh token is not good. Sign in again."


class TokenReused(RefreshRefused):
    """It came back after its successor was used. It is answered like any bad one, once its session is ended."""


class AccountGone(Gone):
    code = "identity.account_erased"
    title = "This account was erased."


class SessionNotFound(NotFound):
    code = "identity.session_not_found"
    title = "There is no such session, or it is not yours."


class ClientRefused(Unauthenticated):
    code = "identity.client_refused"
    title = "This service client is unknown, revoked, or its secret is wrong."


class ClientNotFound(NotFound):
    code = "identity.client_not_found"
    title = "There is no such service client."


class ScopeUnknown(Invalid):
    code = "identity.scope_unknown"
    title = "There is no such scope."


class TooManyAttempts(TooManyRequests):
    code = "identity.too_many_attempts"
    title = "Too many attempts; wait a little."


class HashingBusy(Unavailable):
    code = "identity.hashing_busy"
    title = "Too many passwords are being checked at the moment; nothing was changed. Try again shortly."
