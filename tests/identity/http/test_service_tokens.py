"""Service clients and their tokens, and the keys that all tokens are checked with."""

import hashlib
import json
from pathlib import Path

import httpx2
import jwt
import pytest

from services.identity.commands.tokens import Signer
from shared.http.tokens import NeverRevoked, TokenChecker
from tests.identity.person import Identity
from tests.identity.processes import ops
from tests.tokens import person as somebody_elses

pytestmark = pytest.mark.stack
TOKENS = "/v1/service-tokens"


async def client(identity: Identity, *scopes: str) -> tuple[str, str]:
    status, printed = await ops(identity.settings, "service-client", "add", "local", *(f"--scope={scope}" for scope in scopes), "--json")
    assert status == 0, printed
    made = json.loads(printed)
    return made["id"], made["secret"]


async def token(identity: Identity, client_id: str, secret: str) -> httpx2.Response:
    return await identity.http.post(TOKENS, auth=(client_id, secret))


async def test_a_client_gets_tokens_with_its_scopes_until_it_is_revoked(identity: Identity) -> None:
    client_id, secret = await client(identity, "keys:verify", "feed:keys")
    answer = await token(identity, client_id, secret)
    body = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert body | {"access_token": ""} == {"access_token": "", "token_type": "Bearer", "expires_in": 900, "scope": "feed:keys keys:verify"}
    claims = await TokenChecker(Signer(identity.settings.master_key), NeverRevoked()).check(body["access_token"])
    assert (claims.kind, claims.subject, claims.scopes) == ("service", client_id, frozenset({"keys:verify", "feed:keys"}))
    assert secret not in repr(await identity.db.fetch("SELECT data::text, meta::text FROM es.events"))

    assert (await ops(identity.settings, "service-client", "revoke", client_id))[0] == 0


async def test_a_revoked_client_gets_no_more_tokens(identity: Identity) -> None:
    client_id, secret = await client(identity, "keys:verify")
    await ops(identity.settings, "service-client", "revoke", client_id)
    assert (await token(identity, client_id, secret)).json()["code"] == "identity.client_refused"
    for unknown in ("svc_" + "0" * 22, "nonsense"):
        status, complaint = await ops(identity.settings, "service-client", "revoke", unknown)
        assert (status, complaint) == (1, "There is no such service client.\n")


async def test_clients_of_which_only_the_digest_is_known_are_made_once(identity: Identity, tmp_path: Path) -> None:
    made = [(f"svc_{n}" + "0" * 21, "s" * 43 + str(n)) for n in range(2)]
    file = tmp_path / "clients"
    lines = [f"client {client_id} {hashlib.sha256(secret.encode()).hexdigest()} feed:keys,feed:registry" for client_id, secret in made]
    file.write_text("\n".join(lines))
    for _ in range(2):
        assert await ops(identity.settings, "service-client", "admit", str(file)) == (0, "2 service clients are in place.\n")
    assert [(await token(identity, *pair)).json()["scope"] for pair in made] == ["feed:keys feed:registry"] * 2
    await ops(identity.settings, "service-client", "revoke", made[0][0])
    assert (await ops(identity.settings, "service-client", "admit", str(file)))[0] == 1
    assert (await token(identity, *made[0])).status_code == 401


async def test_an_unknown_scope_is_refused_with_those_that_there_are(identity: Identity) -> None:
    status, complaint = await ops(identity.settings, "service-client", "add", "local", "--scope", "keys:write")
    assert status == 1
    assert complaint.startswith("Unknown: keys:write. There are: feed:identity,")


@pytest.mark.parametrize("wrong", ["secret", "unknown", "form", "nul"])
async def test_a_wrong_credential_is_refused(identity: Identity, wrong: str) -> None:
    client_id, secret = await client(identity, "keys:verify")
    auth = {
        "secret": (client_id, secret[:-1] + ("A" if secret[-1] != "A" else "B")),
        "unknown": ("svc_" + "0" * 22, secret),
        "form": ("somebody", secret),
        "nul": (client_id[:-1] + "\0", secret),
    }[wrong]
    answer = await identity.http.post(TOKENS, auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (401, "identity.client_refused")


async def test_no_credential_is_refused(identity: Identity) -> None:
    assert (await identity.http.post(TOKENS)).status_code == 401
    assert (await identity.http.post(TOKENS, headers={"authorization": "Bearer x"})).status_code == 401


async def test_a_machine_is_no_person(identity: Identity) -> None:
    client_id, secret = await client(identity, "keys:verify")
    access_token = (await token(identity, client_id, secret)).json()["access_token"]
    answer = await identity.http.get("/v1/account", headers={"authorization": f"Bearer {access_token}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.wrong_kind_of_caller")


async def test_published_keys_check_our_tokens(identity: Identity) -> None:
    ann = await identity.signed_in()
    answer = await identity.http.get("/.well-known/jwks.json")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=60")
    header = jwt.get_unverified_header(ann.access_token)
    [key] = [key for key in answer.json()["keys"] if key["kid"] == header["kid"]]
    assert (header["typ"], header["alg"]) == ("at+jwt", "EdDSA")
    claims = jwt.decode(ann.access_token, jwt.PyJWK(key), algorithms=["EdDSA"], audience="latchkey", issuer="latchkey-identity")
    assert claims.keys() == {"iss", "aud", "sub", "sid", "gen", "exp", "iat", "jti"}


@pytest.mark.parametrize("forged", ["another key", "none", "its own key"])
async def test_a_forged_token_is_refused(identity: Identity, forged: str) -> None:
    ann = await identity.signed_in()
    claims = jwt.decode(ann.access_token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(ann.access_token)["kid"]
    match forged:
        case "another key":
            headers = somebody_elses(ann.account_id, sid=ann.session_id)
        case "none":
            headers = {"authorization": "Bearer " + jwt.encode(claims, "", algorithm="none", headers={"typ": "at+jwt", "kid": kid})}
        case _:
            made = jwt.encode(
                claims, "x" * 32, algorithm="HS256", headers={"typ": "at+jwt", "kid": kid, "jwk": {"kty": "oct", "k": "eHh4"}}
            )
            headers = {"authorization": f"Bearer {made}"}
    answer = await identity.http.get("/v1/account", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.token_invalid")
