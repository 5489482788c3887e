"""POST and PATCH of transactions: every status code, batches, and what is recorded once."""

from decimal import Decimal
from typing import Any

import pytest

from tests.metrics.shop import Shop, ago, key_text, pair, transaction

pytestmark = pytest.mark.stack


async def test_one_transaction_is_201_with_what_was_recorded(shop: Shop) -> None:
    answer = await shop.post(transaction(1, amount="29.3", currency="USD", payment_mode="card", reference="Order 7"))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert {name: told[name] for name in ("code", "app_id", "environment", "pair_id", "amount", "status", "payment_mode", "reference")} == {
        "code": "recorded", "app_id": shop.app, "environment": "live", "pair_id": "kp_1", "amount": "29.30", "status": "succeeded",
        "payment_mode": "card", "reference": "Order 7",
    }  # fmt: skip
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["event-position"].startswith("metrics/tx_")


async def test_the_same_again_has_no_effect_and_other_fields_are_409(shop: Shop) -> None:
    body = transaction(1)
    await shop.post(body)
    again = await shop.post(dict(reversed(body.items())) | {"reference": None})
    assert (again.status_code, again.json()["code"]) == (201, "unchanged")
    other = await shop.post(body | {"amount": "1.0"})
    assert (other.status_code, other.json()["code"]) == (409, "metrics.transaction_differs")
    assert (await shop.get("overview")).json()["total"] == 1


async def test_the_same_again_is_the_same_after_its_status_moved_and_with_another_key(shop: Shop) -> None:
    await shop.post(transaction(1))
    await shop.move("t-1", "refunded")
    shop.judge.hold(pair(shop.app, "kp_2"))
    again = await shop.post(transaction(1), key=key_text("kp_2"))
    assert (again.status_code, again.json()["code"], again.json()["status"]) == (201, "unchanged", "refunded")
    assert again.json()["pair_id"] == "kp_1"


async def test_environments_and_apps_have_ids_of_their_own(shop: Shop) -> None:
    from latchkey.keyformat import Environment, Kind

    shop.judge.hold(pair(shop.app, "kp_t", environment="test"))
    shop.judge.hold(pair("app_other", "kp_o", tenant="acc_2"))
    for key in (key_text("kp_1"), key_text("kp_t", Kind.SECRET, Environment.TEST), key_text("kp_o")):
        assert (await shop.post(transaction(1), key=key)).json()["code"] == "recorded"


async def test_a_batch_is_201_with_a_result_an_item(shop: Shop) -> None:
    answer = await shop.record(transaction(1), transaction(2))
    assert answer.status_code == 201
    assert answer.json() == {
        "results": [
            {"transaction_id": "t-1", "code": "recorded", "status": 201},
            {"transaction_id": "t-2", "code": "recorded", "status": 201},
        ]
    }


async def test_a_batch_with_a_refused_item_is_207_and_records_the_others(shop: Shop) -> None:
    await shop.record(transaction(1))
    answer = await shop.record(
        transaction(1, amount="2.00"), transaction(2, amount="1.005"), {"status": "gone"}, "nonsense", transaction(3)
    )
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [(result["transaction_id"], result["code"], result["status"]) for result in results] == [
        ("t-1", "metrics.transaction_differs", 409),
        ("t-2", "request.invalid", 422),
        (None, "request.invalid", 422),
        (None, "request.invalid", 422),
        ("t-3", "recorded", 201),
    ]
    assert {error["pointer"] for error in results[2]["errors"]} == {
        "/transactions/2/transaction_id", "/transactions/2/amount", "/transactions/2/currency", "/transactions/2/status"
    }  # fmt: skip
    assert (await shop.get("overview")).json()["total"] == 2


async def test_within_a_batch_the_first_of_one_id_wins(shop: Shop) -> None:
    answer = await shop.record(transaction(1), transaction(1), transaction(1, amount="9.00"), transaction(2))
    assert [result["code"] for result in answer.json()["results"]] == [
        "recorded", "unchanged", "metrics.transaction_differs", "recorded"
    ]  # fmt: skip
    amounts = (await shop.get("overview")).json()["amounts"]
    assert amounts == [{"currency": "EUR", "amount": "2.00"}]


async def test_a_refused_first_leaves_its_id_to_the_next(shop: Shop) -> None:
    answer = await shop.record(transaction(1, amount="1.005"), transaction(1))
    assert [result["code"] for result in answer.json()["results"]] == ["request.invalid", "recorded"]


async def test_a_batch_of_1000_is_one_append(shop: Shop) -> None:
    answer = await shop.record(*(transaction(n) for n in range(1_000)))
    assert answer.status_code == 201
    assert await shop.db.fetchval("SELECT count(DISTINCT xmin::text) FROM es.events WHERE data ->> 'app_id' = $1", shop.app) == 1
    assert await shop.db.fetchval("SELECT count(*) FROM es.events WHERE data ->> 'app_id' = $1 AND public IS NOT NULL", shop.app) == 1_000


@pytest.mark.parametrize("count", [0, 1_001])
async def test_a_batch_of_another_size_is_422(shop: Shop, count: int) -> None:
    answer = await shop.record(*(transaction(n) for n in range(count)))
    assert (answer.status_code, answer.json()["code"]) == (422, "metrics.batch_size")


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"amount": 1.0}, {"/amount"}),
        ({"amount": "1.005", "occurred_at": "1989-12-31T00:00:00Z"}, {"/amount", "/occurred_at"}),
        ({"amount": "x", "currency": "EURO"}, {"/amount", "/currency"}),
        ({"amount": "1.005", "status": "lost", "extra": 1}, {"/amount", "/status", "/extra"}),
        ({"occurred_at": "2026-01-01T00:00:00"}, {"/occurred_at"}),
        ({"transaction_id": "=SUM(A1)"}, {"/transaction_id"}),
        ({"transaction_id": "x" * 129}, {"/transaction_id"}),
        ({"payment_mode": "@card"}, {"/payment_mode"}),
        ({"payment_mode": "card\u2028"}, {"/payment_mode"}),
        ({"reference": "a\x07b"}, {"/reference"}),
        ({"currency": "XAU"}, {"/currency"}),
    ],
)
async def test_wrong_fields_are_422_and_all_of_them_told(shop: Shop, changes: dict[str, Any], pointers: set[str]) -> None:
    answer = await shop.post(transaction(1) | changes)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert {error["pointer"] for error in answer.json()["errors"]} == pointers


async def test_words_of_any_script_are_fine(shop: Shop) -> None:
    answer = await shop.post(transaction(1, payment_mode="Überweisung", payment_gateway="支付宝", reference="№ 7 — Straße"))
    assert (answer.status_code, answer.json()["payment_gateway"]) == (201, "支付宝")


async def test_a_field_beside_a_batch_is_422(shop: Shop) -> None:
    answer = await shop.post({"transactions": [transaction(1)], "atomic": True})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/atomic")


async def test_what_is_no_json_is_400_and_no_object_422(shop: Shop) -> None:
    headers = {"content-type": "application/json"}
    broken = await shop.http.post("/v1/transactions", content=b"{", auth=(key_text("kp_1"), ""), headers=headers)
    assert broken.status_code == 400
    assert (await shop.post([transaction(1)])).status_code == 422


async def test_a_body_beyond_the_limit_is_413(shop: Shop) -> None:
    assert (await shop.post(transaction(1, reference="x" * 2_200_000))).status_code == 413


async def test_zero_is_an_amount_and_exponents_count(shop: Shop) -> None:
    answer = await shop.record(
        transaction(1, amount="0"), transaction(2, amount="12", currency="JPY"), transaction(3, amount="0.005", currency="KWD")
    )
    assert answer.status_code == 201
    amounts = {one["currency"]: one["amount"] for one in (await shop.get("overview")).json()["amounts"]}
    assert amounts == {"EUR": "0.00", "JPY": "12", "KWD": "0.005"}


async def test_a_status_moves_forward_and_backwards_is_409_with_both(shop: Shop) -> None:
    await shop.post(transaction(1, status="created"))
    moved = await shop.move("t-1", "authorized", provider_status="AUTH OK")
    assert (moved.status_code, moved.json()["status"], moved.json()["provider_status"]) == (200, "authorized", "AUTH OK")
    assert moved.headers["etag"] == '"2"'
    same = await shop.move("t-1", "authorized")
    assert (same.status_code, same.headers["etag"]) == (200, '"2"')
    back = await shop.move("t-1", "pending")
    assert (back.status_code, back.json()["code"]) == (409, "metrics.status_backwards")
    assert "authorized" in back.json()["detail"]
    assert "pending" in back.json()["detail"]


async def test_moving_what_is_not_there_is_404_and_a_wrong_status_422(shop: Shop) -> None:
    missing = await shop.move("t-404", "succeeded")
    assert (missing.status_code, missing.json()["code"]) == (404, "metrics.transaction_not_found")
    assert (await shop.move("t-404", "lost")).status_code == 422


async def test_an_id_with_slashes_can_be_moved(shop: Shop) -> None:
    await shop.post(transaction("a/b:c", status="created"))
    assert (await shop.move("t-a/b:c", "failed")).status_code == 200


async def test_both_events_are_public_and_exact(shop: Shop) -> None:
    from latchkey.envelope import decode

    await shop.post(transaction(1, status="pending", amount="29.3", occurred_at=ago(3)))
    await shop.move("t-1", "succeeded")
    frozen = await shop.db.fetch("SELECT public FROM es.events WHERE data ->> 'app_id' = $1 ORDER BY position", shop.app)
    recorded, changed = (decode(row["public"]) for row in frozen)
    assert (recorded.type, recorded.streamversion, recorded.payload["amount"]) == ("metrics.TransactionRecorded.v1", 1, "29.30")
    assert (changed.type, changed.streamversion) == ("metrics.TransactionStatusChanged.v1", 2)
    assert (changed.payload["previous_status"], changed.payload["status"]) == ("pending", "succeeded")
    assert changed.payload["occurred_at"] == recorded.payload["occurred_at"]


async def test_an_idempotency_key_is_not_needed_and_does_no_harm(shop: Shop) -> None:
    first = await shop.post(transaction(1), idempotency_key="k-1")
    second = await shop.post(transaction(2), idempotency_key="k-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert Decimal((await shop.get("overview")).json()["amounts"][0]["amount"]) == 2
