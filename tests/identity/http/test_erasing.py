"""Erasing an account: nothing personal is left, and everybody hears of it."""

import json

import pytest
from aiokafka import AIOKafkaProducer
from latchkey.partitioning import partition_of
from latchkey.states import encode_state
from latchkey.topics import BY_NAME, IDENTITY_ERASURE_STATE

from services.identity.domain.account import Status
from services.identity.projections import VIEWS
from services.identity.publications import ERASURE_KIND
from services.identity.wiring import ACCOUNT, EVENTS, SESSION
from shared.store.aggregates import Aggregates
from shared.store.log import COLUMNS, positioned
from shared.store.postgres import StoreSettings, open_store
from shared.store.subjects import SubjectKeys
from shared.wake import LocalWake
from stack.testing import RealStack
from tests.identity.person import Identity
from tests.identity.processes import ops

pytestmark = pytest.mark.stack
EMAIL, NAME = "wilhelmina@example.com", "Wilhelmina Featherstonehaugh"


async def test_erasing_leaves_nothing_personal_that_can_be_read(identity: Identity) -> None:
    ann = await identity.sign_in(await identity.verified(EMAIL, NAME))
    await identity.post("/v1/sessions/refresh", {"refresh_token": ann.refresh_token})
    answer = await identity.delete("/v1/account", ann)
    assert (answer.status_code, answer.content) == (204, b"")
    farewell = (await identity.mails())[-1]
    assert (farewell.to, farewell.subject) == (EMAIL, "Your Latchkey account was erased")
    assert await identity.db.fetchval("SELECT count(*) FROM es.mail_outbox") == 0

    [account] = await identity.db.fetch("SELECT email, email_digest, name, erased_at IS NOT NULL AS erased FROM accounts")
    assert tuple(account) == (None, None, None, True)
    assert [tuple(row) for row in await identity.db.fetch("SELECT ip, device, ended_at IS NOT NULL FROM sessions")] == [(None, None, True)]
    assert await identity.db.fetchval("SELECT wrapped_key FROM es.subject_keys WHERE subject_id = $1", ann.account_id) is None

    keys = SubjectKeys(identity.db, identity.settings.master_key)
    rows = [positioned(row).row for row in await identity.db.fetch(f"SELECT {COLUMNS} FROM es.events ORDER BY position")]
    ciphers = await keys.ciphers([ann.account_id])
    read = [EVENTS.decode(row.type, row.schema_version, row.data, stream_id=row.stream_id, ciphers=ciphers) for row in rows]
    assert repr(read).count("Erased(erased=True)") >= 8
    for personal in (EMAIL, NAME, "Wilhelmina", "Firefox", "127.0.0.1", "argon2"):
        assert personal not in repr(read)
        assert personal not in repr(rows)


async def test_erasing_is_told_and_kept_for_ever(identity: Identity) -> None:
    ann = await identity.signed_in()
    answer = await identity.delete("/v1/account", ann)
    row = await identity.db.fetchrow("SELECT public, states, meta FROM es.events WHERE type = 'identity.AccountErased'")
    assert row is not None
    told = json.loads(row["public"])
    assert (told["type"], told["data"], told["tenantid"]) == ("identity.AccountErased.v1", {"account_id": ann.account_id}, ann.account_id)
    assert answer.headers["event-position"] == f"identity/{ann.account_id}/{told['streamversion']}"
    [[topic, key, text]] = json.loads(row["states"])
    assert (topic, key, json.loads(text)["data"]["account_id"]) == ("identity.erasure.state.v1", ann.account_id, ann.account_id)


async def test_nobody_gets_in_any_more_and_the_address_is_free(identity: Identity) -> None:
    ann = await identity.sign_in(await identity.verified(EMAIL))
    assert (await identity.delete("/v1/account", ann)).status_code == 204
    assert (await identity.get("/v1/account", ann)).status_code == 401
    assert (await identity.post("/v1/sessions/refresh", {"refresh_token": ann.refresh_token})).status_code == 401
    assert (await identity.try_to_sign_in(EMAIL, ann.password)).status_code == 401
    again = await identity.sign_in(await identity.verified(EMAIL))
    assert again.account_id != ann.account_id


async def test_an_unverified_account_is_erased_by_nobody_else(identity: Identity) -> None:
    ann, ben = await identity.signed_in(), await identity.signed_in()
    stale = await identity.http.delete("/v1/account", headers=ann.bearer | {"if-match": '"1"'})
    assert stale.status_code == 412
    assert (await identity.delete("/v1/account", ann)).status_code == 204
    assert (await identity.get("/v1/account", ben)).status_code == 200


async def test_an_erased_past_is_folded_from_the_log_alone(identity: Identity) -> None:
    ann = await identity.signed_in()
    await identity.delete("/v1/account", ann)
    settings = identity.settings
    async with open_store(StoreSettings(settings.database_url, settings.master_key), VIEWS, {}, LocalWake()) as (store, _):
        account = await Aggregates(ACCOUNT, store).load(ann.account_id)
        session = await Aggregates(SESSION, store).load(ann.session_id)
        before = await Aggregates(ACCOUNT, store).load_at(ann.account_id, 3)
    assert (account.state.status, account.state.email) == (Status.ERASED, None)
    assert (before.state.status, str(before.state.email)) == (Status.ACTIVE, "Erased(erased=True)")
    assert session.state.account_id == ann.account_id


async def test_what_a_backup_brought_back_is_erased_again(identity: Identity, stack: RealStack) -> None:
    ann, bob = await identity.sign_in(await identity.verified(EMAIL, NAME)), await identity.signed_in()
    record = encode_state(ERASURE_KIND, ann.account_id, 3, {"account_id": ann.account_id, "erased_at": "2026-11-24T16:00:00+00:00"})
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap, acks="all")
    await producer.start()
    try:
        at = partition_of(ann.account_id, BY_NAME[IDENTITY_ERASURE_STATE].partitions)
        await producer.send_and_wait(IDENTITY_ERASURE_STATE, record.encode(), ann.account_id.encode(), partition=at)
    finally:
        await producer.stop()
    assert await ops(identity.settings, "erasures", "replay") == (0, "1 accounts were erased again.\n")
    assert await ops(identity.settings, "erasures", "replay") == (0, "0 accounts were erased again.\n")
    assert (await identity.get("/v1/account", ann)).status_code == 401
    assert (await identity.get("/v1/account", bob)).status_code == 200
    assert await identity.db.fetchval("SELECT wrapped_key FROM es.subject_keys WHERE subject_id = $1", ann.account_id) is None
