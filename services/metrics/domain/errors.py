"""What metrics may refuse."""

from shared.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable


class TransactionDiffers(Conflict):
    code = "metrics.transaction_differs"
    title = "A transaction with this id was recorded before with other fields."


class StatusBackwards(Conflict):
    code = "metrics.status_backwards"
    title = "A transaction cannot go from its present status to that one."


class TransactionNotFound(NotFound):
    code = "metrics.transaction_not_found"
    title = "This app and environment has no transaction with that id."


class AppNotFound(NotFound):
    code = "metrics.app_not_found"
    title = "There is no such app, or it is not yours."


class PublicKeyLimited(Forbidden):
    code = "metrics.public_key_limited"
    title = "A public key may record a transaction with the status created, and nothing else."


class SecretKeyInBrowser(Forbidden):
    code = "metrics.secret_key_in_browser"
    title = "A secret key must never be used in a browser. This was refused and recorded; regenerate the key, for others have seen it."


class KeyMissing(Unauthenticated):
    code = "metrics.key_missing"
    title = "Send an API key, as the user name of HTTP basic authentication or as a bearer token."


class KeyMalformed(Unauthenticated):
    code = "metrics.key_malformed"
    title = "This is not an API key; perhaps a character is missing."


class KeyUnknown(Unauthenticated):
    code = "metrics.key_unknown"
    title = "There is no such API key."


class KeyRevoked(Unauthenticated):
    code = "metrics.key_revoked"
    title = "This API key was revoked."


class KeyExpired(Unauthenticated):
    code = "metrics.key_expired"
    title = "This API key has expired."


class KeyRotated(Unauthenticated):
    code = "metrics.key_rotated"
    title = "This API key was replaced by a new one."


class KeyDisabled(Unauthenticated):
    code = "metrics.key_disabled"
    title = "This API key is disabled."


class AppDisabled(Forbidden):
    code = "metrics.app_disabled"
    title = "Application is disabled!"


class OriginForbidden(Forbidden):
    code = "metrics.origin_forbidden"
    title = "This API key may not be used from that origin."


class OriginUnverified(Forbidden):
    code = "metrics.origin_unverified"
    title = "The page is on none of the app's verified domains."


class AddressForbidden(Forbidden):
    code = "metrics.address_forbidden"
    title = "This API key may not be used from that address."


class ScopeMissing(Forbidden):
    code = "metrics.scope_missing"
    title = "This API key lacks the scope for that."


class KeysUnverifiable(Unavailable):
    code = "metrics.keys_unverifiable"
    title = "API keys cannot be checked at the moment; nothing was recorded. Try again shortly."


class BatchSize(Invalid):
    code = "metrics.batch_size"
    title = "A batch holds 1 to 1,000 transactions."


class ZoneUnknown(Invalid):
    code = "metrics.zone_unknown"
    title = "There is no such time zone; send a name of the IANA database such as Europe/Berlin."


class DatesIncomplete(Invalid):
    code = "metrics.dates_incomplete"
    title = "Send both dates, or none."


class DatesReversed(Invalid):
    code = "metrics.dates_reversed"
    title = "The first date must not be after the second."


class DatesTooFarApart(Invalid):
    code = "metrics.dates_too_far_apart"
    title = "The dates may be at most 90 days apart."


class DatesTooEarly(Invalid):
    code = "metrics.dates_too_early"
    title = "The first date lies before the app was made and before its first transaction."


class DatesInFuture(Invalid):
    code = "metrics.dates_in_future"
    title = "Neither date may be after today."


class TooManyPoints(Invalid):
    code = "metrics.too_many_points"
    title = "That would be more than 5,000 points; choose a larger bucket or dates closer together."


def amount_wrong(code: str, detail: str) -> FieldError:
    """A fault of the amount."""
    return FieldError("/amount", code, detail)


def currency_unknown(currency: str) -> FieldError:
    """A code that ISO 4217 does not have, or not for money that can be paid."""
    return FieldError("/currency", "currency_unknown", f"{currency} is no currency of ISO 4217 that can be paid in.")


def time_wrong(code: str, detail: str) -> FieldError:
    """A fault of the time at which a transaction happened."""
    return FieldError("/occurred_at", code, detail)
