"""Both read models are a function of the log: a rebuild comes out equal, and says nothing about who was erased."""

import pytest

from tests.identity.person import Identity
from tests.identity.processes import ops

pytestmark = pytest.mark.stack


async def test_accounts_and_sessions_are_rebuilt_equal(identity: Identity) -> None:
    ann = await identity.signed_in()
    await identity.post("/v1/sessions/refresh", {"refresh_token": ann.refresh_token})
    await identity.http.patch("/v1/account", json={"name": "Anna"}, headers=ann.bearer | {"if-match": '"3"'})
    ben = await identity.signed_in()
    await identity.delete(f"/v1/sessions/{ben.session_id}", ben)
    gone = await identity.sign_in(await identity.verified("wilhelmina@example.com"))
    await identity.delete("/v1/account", gone)
    await identity.delete("/v1/sessions", await identity.sign_in(ben))
    for view in ("accounts", "sessions"):
        status, printed = await ops(identity.settings, "rebuild", view, "--verify")
        assert status == 0, printed
        assert await identity.db.fetchval("SELECT version FROM es.active WHERE projection = $1", view) == 2
    rows = await identity.db.fetch("SELECT a::text FROM accounts a UNION ALL SELECT s::text FROM sessions s")
    assert len(rows) == 3 + 4
    assert "wilhelmina" not in repr(rows)
    assert (await identity.get("/v1/account", ann)).json()["name"] == "Anna"
    assert (await identity.try_to_sign_in(ann.email, ann.password)).status_code == 201
