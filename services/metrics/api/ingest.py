"""What was sent to be recorded, item by item, and what is answered for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Response
from pydantic import ValidationError
from pydantic_core import to_json

from services.metrics.api.schemas import MOST_IN_BATCH, NewTransaction
from services.metrics.commands import Outcome, Told
from services.metrics.domain.errors import BatchSize
from services.metrics.domain.money import faults
from services.metrics.domain.transaction import Transaction
from shared.errors import FieldError, Invalid, Refusal
from shared.http.headers import versioned

CREATED: Final = 201
MULTI_STATUS: Final = 207


@dataclass(frozen=True, slots=True)
class Sent:
    """The items of one request in their order; `alone` when it was one transaction and no batch."""

    alone: bool
    items: Sequence[Told | Invalid]
    raw: Sequence[Any]

    @property
    def told(self) -> list[Told]:
        """Those that have the right shape."""
        return [item for item in self.items if isinstance(item, Told)]


def read(body: Any) -> Sent:
    """Tell one from a batch, and judge the shape of each item for itself. Raises Invalid for what is neither."""
    if not isinstance(body, dict):
        raise Invalid(errors=(FieldError("", "dict_type", "Send one transaction, or an object with a list of transactions."),))
    if "transactions" not in body:
        return Sent(True, [_item(body)], [body])
    raw = body["transactions"]
    if len(body) > 1:
        wrong = (FieldError(f"/{name}", "extra_forbidden", "There is no such field beside transactions.") for name in body)
        raise Invalid(errors=tuple(error for error in wrong if error.pointer != "/transactions"))
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_IN_BATCH:
        raise BatchSize(errors=(FieldError("/transactions", "batch_size", BatchSize.title),))
    return Sent(False, [_item(one) for one in raw], raw)


def answer(sent: Sent, outcomes: Sequence[Outcome], *, secret: bool) -> Response:
    """201, or 207 when an item of a batch is refused. Raises the refusal of a transaction that was sent alone."""
    found = iter(outcomes)
    settled = [item if isinstance(item, Invalid) else next(found) for item in sent.items]
    if sent.alone:
        return _one(settled[0], secret=secret)
    results = [_result(place, raw, one) for place, (raw, one) in enumerate(zip(sent.raw, settled, strict=True))]
    status = CREATED if all(result["status"] == CREATED for result in results) else MULTI_STATUS
    return Response(to_json({"results": results}), status, media_type="application/json")


def shape(transaction: Transaction, code: str, *, secret: bool) -> dict[str, Any]:
    """A transaction as it is answered."""
    e = transaction.recorded
    if e is None:
        raise ValueError("nothing was recorded")
    status, provider_status = (transaction.status, transaction.provider_status) if secret else (e.status, e.provider_status)
    return {
        "transaction_id": e.transaction_id, "code": code, "app_id": e.app_id, "environment": e.environment, "pair_id": e.pair_id,
        "amount": f"{e.amount:f}", "currency": e.currency, "status": status, "payment_mode": e.payment_mode,
        "payment_gateway": e.payment_gateway, "provider_status": provider_status, "reference": e.reference, "occurred_at": e.occurred_at,
    }  # fmt: skip


def _item(raw: Any) -> Told | Invalid:
    try:
        return Told(raw, NewTransaction.model_validate(raw).details())
    except ValidationError as error:
        wrong = [
            FieldError("".join(f"/{step}" for step in fault["loc"]), fault["type"], f"{fault['msg']}.")
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    return Invalid(errors=(*wrong, *_meaning(raw, {fault.pointer for fault in wrong})))


def _meaning(raw: Any, wrong: set[str]) -> list[FieldError]:
    """What is wrong with the amount too, when its shape and its currency's are right, so that everything is told at once."""
    if not isinstance(raw, dict) or wrong & {"/amount", "/currency"}:
        return []
    return faults(raw["amount"], raw["currency"])


def _one(settled: Outcome | Refusal, *, secret: bool) -> Response:
    refusal = settled if isinstance(settled, Refusal) else settled.refusal
    if refusal is not None:
        raise refusal
    if isinstance(settled, Refusal) or settled.now is None:
        raise ValueError("neither recorded nor refused")
    code = "recorded" if settled.recorded else "unchanged"
    response = Response(to_json(shape(settled.now.state, code, secret=secret)), CREATED, media_type="application/json")
    if secret:
        versioned(response, "metrics", settled.now)
    return response


def _result(place: int, raw: Any, settled: Outcome | Refusal) -> dict[str, Any]:
    transaction_id = raw.get("transaction_id") if isinstance(raw, Mapping) else None
    refusal = settled if isinstance(settled, Refusal) else settled.refusal
    if refusal is None:
        code = "recorded" if isinstance(settled, Outcome) and settled.recorded else "unchanged"
        return {"transaction_id": transaction_id, "code": code, "status": CREATED}
    errors = [{"pointer": f"/transactions/{place}{e.pointer}", "code": e.code, "detail": e.detail} for e in refusal.errors]
    return {
        "transaction_id": transaction_id if isinstance(transaction_id, str) else None, "code": refusal.code, "status": refusal.status,
        "detail": refusal.detail or refusal.title, "errors": errors,
    }  # fmt: skip
