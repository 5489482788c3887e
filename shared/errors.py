"""What a Latchkey server may refuse, as one tree: status, stable code, public sentence, internal detail.

Refusal
├── Invalid               422  a field or parameter is wrong (carries all field errors at once)
├── Malformed             400  the request cannot be read at all
├── Unauthenticated       401
├── Forbidden             403
├── NotFound              404
├── Conflict              409
│   ├── StreamMoved            three tries met three other writers
│   └── IdempotencyKeyReused
├── Gone                  410
├── PreconditionFailed    412
├── TooLarge              413
├── UnsupportedMedia      415
├── PreconditionRequired  428
├── TooManyRequests       429
└── Unavailable           503
    └── OutcomeUnknown         the connection broke inside COMMIT and nobody can say what happened
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: where (an RFC 6901 pointer into the body, or a parameter's name), which rule, and a sentence for people."""

    pointer: str
    code: str
    detail: str


class Refusal(Exception):
    """A request that is answered with a problem document; `code` never changes its meaning, `title` is safe to show to anyone."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, detail: str | None = None, *, errors: tuple[FieldError, ...] = (), retry_after: float | None = None) -> None:
        """`detail` is public too; `retry_after` is in seconds."""
        super().__init__(detail or self.title)
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after


class Invalid(Refusal):
    status = 422
    code = "request.invalid"
    title = "Some fields are not right."


class Malformed(Refusal):
    status = 400
    code = "request.malformed"
    title = "The request could not be read."


class Unauthenticated(Refusal):
    status = 401
    code = "auth.required"
    title = "Sign in, or send a valid credential."


class Forbidden(Refusal):
    status = 403
    code = "auth.forbidden"
    title = "This credential may not do that."


class NotFound(Refusal):
    status = 404
    code = "resource.not_found"
    title = "There is no such thing, or it is not yours."


class Conflict(Refusal):
    status = 409
    code = "resource.conflict"
    title = "The request conflicts with the present state."


class StreamMoved(Conflict):
    """Nothing was written: the stream was not at the version that the decision was made on."""

    code = "resource.contended"
    title = "Others keep changing this at the same moment; try again."


class IdempotencyKeyReused(Conflict):
    code = "idempotency.key_reused"
    title = "This Idempotency-Key was used before with another body."


class Gone(Refusal):
    status = 410
    code = "resource.gone"
    title = "This is no longer there."


class SubjectErased(Gone):
    """The subject's key was shredded, so nothing personal can be written for it any more."""

    code = "resource.erased"
    title = "This was erased."


class PreconditionFailed(Refusal):
    status = 412
    code = "resource.version_mismatch"
    title = "It was changed since you read it; read it again."


class TooLarge(Refusal):
    status = 413
    code = "request.too_large"
    title = "The request body is too large."


class UnsupportedMedia(Refusal):
    status = 415
    code = "request.unsupported_media"
    title = "This content type is not accepted here."


class PreconditionRequired(Refusal):
    status = 428
    code = "request.if_match_required"
    title = "Send If-Match with the version that you read."


class TooManyRequests(Refusal):
    status = 429
    code = "request.too_many"
    title = "Too many requests; slow down."


class Unavailable(Refusal):
    """Certainly not done: the caller may safely try again."""

    status = 503
    code = "service.unavailable"
    title = "This cannot be done at the moment; nothing was changed. Try again shortly."


class OutcomeUnknown(Unavailable):
    """Perhaps done: the connection broke inside COMMIT and the database could not be asked."""

    code = "service.outcome_unknown"
    title = "The outcome is unknown: read the resource, or repeat the request with the same Idempotency-Key."
