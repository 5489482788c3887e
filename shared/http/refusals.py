"""What the edge itself refuses, before a service is asked."""

from shared.errors import Forbidden, Invalid, Malformed, NotFound, Refusal, Unauthenticated, Unavailable


class RouteUnknown(NotFound):
    code = "request.route_unknown"
    title = "There is nothing at this address."


class MethodNotAllowed(Refusal):
    status = 405
    code = "request.method_not_allowed"
    title = "This address does not take that method."


class BodyTooSlow(Refusal):
    status = 408
    code = "request.too_slow"
    title = "The request body did not arrive in time."


class BadCursor(Invalid):
    """Another list, other filters, another account, or a changed text: the list starts again without a cursor."""

    code = "request.bad_cursor"
    title = "This cursor does not belong to this list."


class BadIfMatch(Malformed):
    code = "request.bad_if_match"
    title = 'If-Match must be one quoted version, such as "3".'


class BadIdempotencyKey(Malformed):
    code = "idempotency.bad_key"
    title = "Idempotency-Key must be 1 to 255 visible ASCII characters."


class BadEventPosition(Malformed):
    code = "request.bad_event_position"
    title = "Event-Position must be <service>/<stream>/<version>, as a command answered it."


class TokenInvalid(Unauthenticated):
    code = "auth.token_invalid"
    title = "This access token is not valid."


class TokenExpired(Unauthenticated):
    code = "auth.token_expired"
    title = "This access token has expired; refresh the session."


class SessionRevoked(Unauthenticated):
    code = "auth.session_revoked"
    title = "This session was ended; sign in again."


class ScopeMissing(Forbidden):
    code = "auth.scope_missing"
    title = "This credential does not have the scope that is needed here."


class WrongKindOfCaller(Forbidden):
    code = "auth.wrong_kind_of_caller"
    title = "This address is for another kind of credential."


class KeysAway(Unavailable):
    """No signing key was ever learnt, so nothing can be said about any token."""

    code = "auth.keys_unavailable"
    title = "Credentials cannot be checked at the moment; try again shortly."
