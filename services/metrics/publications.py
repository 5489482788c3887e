"""What metrics tells the world: every transaction and every move of its status, nothing of refused keys."""

from typing import assert_never

from latchkey.events import PublicEvent, metrics

from services.metrics.domain.events import TransactionEvent, TransactionRecorded, TransactionStatusChanged
from services.metrics.domain.transaction import Transaction


def publish(event: TransactionEvent, _transaction: Transaction) -> PublicEvent:
    """The public form of an event."""
    match event:
        case TransactionRecorded():
            return metrics.TransactionRecorded(
                app_id=event.app_id, environment=event.environment, transaction_id=event.transaction_id,
                pair_id=event.pair_id, lineage_id=event.lineage_id, amount=f"{event.amount:f}", currency=event.currency,
                status=event.status, provider_status=event.provider_status, payment_mode=event.payment_mode,
                payment_gateway=event.payment_gateway, reference=event.reference, occurred_at=event.occurred_at,
            )  # fmt: skip
        case TransactionStatusChanged():
            return metrics.TransactionStatusChanged(
                app_id=event.app_id, environment=event.environment, transaction_id=event.transaction_id,
                pair_id=event.pair_id, lineage_id=event.lineage_id, amount=f"{event.amount:f}", currency=event.currency,
                status=event.status, provider_status=event.provider_status, previous_status=event.previous_status,
                occurred_at=event.occurred_at,
            )  # fmt: skip
        case _:
            assert_never(event)
