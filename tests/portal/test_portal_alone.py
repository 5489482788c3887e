"""The portal without a browser and without services: cookie, forms, headers, redirects, and what it says when nobody answers."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute

from portal.apis import calls
from portal.headers import POLICY
from portal.pages.visit import PageRoute
from portal.session import Session
from tests.portal.services import ASSETS, NOW, ORIGIN, Browser, browser, cookie_of, path_of, problem

pytestmark = pytest.mark.slow  # whole requests through the app

SIGNED_IN = {"access_token": "an-access-token", "refresh_token": "r1", "expires_in": 300, "session_id": "ses_1", "account_id": "acc_1"}
ACCOUNT = {
    "account_id": "acc_1",
    "email": "zoe@example.com",
    "name": "Zoë",
    "verified": True,
    "registered_at": "2026-01-01T00:00:00Z",
    "version": 1,
}
APP = {
    "app_id": "app_1", "name": "Corner Shop", "email": "shop@example.com", "address": "1 High Street", "country": "US", "state": None,
    "city": None, "postal_code": "19034", "phone": None, "status": "active", "logo_hash": None,
    "registered_at": "2026-01-01T00:00:00Z", "version": 1,
}  # fmt: skip
COUNTRY = {
    "code": "US",
    "name": "United States",
    "calling_code": "+1",
    "postal_code_pattern": None,
    "postal_code_example": "95014",
    "has_states": False,
}


@pytest_asyncio.fixture
async def zoe() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


async def test_every_page_says_what_a_browser_may_do(zoe: Browser) -> None:
    for path in ("/sign-in", "/nowhere", ASSETS.url("tokens.css")):
        headers = (await zoe.get(path)).headers
        assert headers["content-security-policy"] == POLICY
        assert (headers["x-content-type-options"], headers["referrer-policy"], headers["x-frame-options"]) == (
            "nosniff",
            "same-origin",
            "DENY",
        )


def test_the_policy_lets_nothing_inline_run_and_nobody_frame_us() -> None:
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY


async def test_pages_are_kept_by_nobody_and_static_files_for_ever(zoe: Browser) -> None:
    page, css = await zoe.get("/sign-in"), await zoe.get(ASSETS.url("base.css"))
    assert page.headers["cache-control"] == "no-store"
    assert css.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert css.headers["content-encoding"] == "gzip"
    assert (await zoe.get(f"/static/{'0' * 12}/base.css")).status_code == 404


async def test_the_cookie_is_bound_to_the_host_and_hidden_from_scripts(zoe: Browser) -> None:
    cookie = cookie_of(await zoe.get("/sign-in"))
    assert re.fullmatch(r"__Host-latchkey=[\w-]+; Path=/; Max-Age=\d+; Secure; HttpOnly; SameSite=Lax", cookie)


async def test_on_this_machine_a_browser_that_keeps_no_secure_cookie_without_tls_signs_in_too(zoe: Browser) -> None:
    """WebKit, and the client of these tests, which keeps to RFC 6265 as strictly."""
    zoe.services.answers |= {
        "POST identity/v1/sessions": httpx2.Response(201, json=SIGNED_IN),
        "GET identity/v1/account": httpx2.Response(200, json=ACCOUNT),
    }
    here = "http://127.0.0.1:8080"
    better, plain = (await zoe.get(f"{here}/sign-in")).headers.get_list("set-cookie")
    assert better.startswith("__Host-latchkey=")
    assert re.fullmatch(r"latchkey=[\w-]+; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax", plain)
    session = zoe.seal.open(zoe.http.cookies["latchkey"])
    assert session is not None
    form = {"csrf": session.csrf, "email": "zoe@example.com", "password": "secret word"}
    answer = await zoe.http.post(f"{here}/sign-in", data=form, headers={"origin": here})
    assert answer.status_code == 303
    assert [one.partition("=")[0] for one in answer.headers.get_list("set-cookie")] == ["latchkey"]
    known = zoe.seal.open(zoe.http.cookies["latchkey"])
    assert known is not None
    assert known.name == "Zoë"


async def test_a_browser_that_keeps_the_better_cookie_is_given_no_other(zoe: Browser) -> None:
    both = f"latchkey={zoe.seal.seal(Session(notice='old'))}; __Host-latchkey={zoe.seal.seal(Session(notice='Saved.'))}"
    answer = await zoe.get("http://localhost:8080/sign-in", headers={"cookie": both})
    assert "Saved." in answer.text
    assert [one.partition("=")[0] for one in answer.headers.get_list("set-cookie")] == ["__Host-latchkey"]


@pytest.mark.parametrize("site", ["https://studio.example", "http://studio.example", "https://localhost", "http://localhost.evil.example"])
async def test_away_from_this_machine_or_with_tls_the_plain_cookie_is_neither_set_nor_believed(zoe: Browser, site: str) -> None:
    sealed = zoe.seal.seal(Session(notice="Saved."))
    answer = await zoe.get(f"{site}/sign-in", headers={"cookie": f"latchkey={sealed}"})
    assert "Saved." not in answer.text
    assert cookie_of(answer).startswith("__Host-latchkey=")
    assert len(answer.headers.get_list("set-cookie")) == 1


async def test_a_cookie_is_set_only_when_the_session_changes(zoe: Browser) -> None:
    await zoe.get("/sign-in")
    assert cookie_of(await zoe.get("/sign-in")) == ""


async def test_signing_in_leads_back_to_the_page_and_keeps_the_tokens_out_of_it(zoe: Browser) -> None:
    zoe.services.answers |= {
        "POST identity/v1/sessions": httpx2.Response(201, json=SIGNED_IN),
        "GET identity/v1/account": httpx2.Response(200, json=ACCOUNT),
    }
    first = await zoe.get("/pay?q=x")
    assert (first.status_code, path_of(first.headers["location"])) == (303, "/sign-in?next=/pay%3Fq%3Dx")
    await zoe.get(first.headers["location"])
    before = zoe.session.csrf
    answer = await zoe.post("/sign-in", {"email": " zoe@example.com ", "password": "secret word", "next": "/pay?q=x", "zone": "Asia/Tokyo"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/pay?q=x")
    session = zoe.session
    assert session.tokens is not None
    assert (session.tokens.access, session.name, session.zone) == ("an-access-token", "Zoë", "Asia/Tokyo")
    assert session.csrf != before
    assert "an-access-token" not in cookie_of(answer)


async def test_a_refused_sign_in_keeps_the_email_and_never_the_password(zoe: Browser) -> None:
    zoe.services.answers["POST identity/v1/sessions"] = problem(401, "identity.sign_in_refused")
    await zoe.get("/sign-in")
    answer = await zoe.post("/sign-in", {"email": "zoe@example.com", "password": "secret word"})
    assert answer.status_code == 422
    assert 'value="zoe@example.com"' in answer.text
    assert "secret word" not in answer.text
    assert 'id="errors" autofocus' in answer.text


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example"])
async def test_nobody_is_sent_elsewhere_after_signing_in(zoe: Browser, path: str) -> None:
    zoe.sign_in()
    assert (await zoe.get("/sign-in", params={"next": path})).headers["location"] == "/"


def forms(zoe: Browser) -> list[str]:
    return [
        re.sub(r"\{[a-z]+_id\}", "app_1", route.path)
        for route in zoe.app.routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    ]


async def test_no_form_is_taken_without_its_token_or_from_another_origin(zoe: Browser) -> None:
    session = zoe.sign_in()
    paths = forms(zoe)
    assert len(paths) >= 12
    sent = {"csrf": session.csrf}
    for path in paths:
        for data, headers in [
            ({}, {"origin": ORIGIN}),
            ({"csrf": "wrong"}, {"origin": ORIGIN}),
            (sent, {"origin": "https://evil.example"}),
            (sent, {"origin": "null"}),
            (sent, {}),
            (sent, {"sec-fetch-site": "cross-site"}),
        ]:
            answer = await zoe.http.post(path, data=data, headers=headers)
            assert (answer.status_code, "This form is no longer good" in answer.text) == (403, True), path
    assert zoe.services.calls == []


async def test_a_form_of_another_session_is_refused(zoe: Browser) -> None:
    stale = zoe.sign_in().csrf
    zoe.sign_in()
    assert (await zoe.post("/sign-out", {"csrf": stale})).status_code == 403


async def test_a_browser_that_sends_no_origin_but_says_that_the_page_was_ours_is_believed(zoe: Browser) -> None:
    zoe.holds(Session())
    answer = await zoe.http.post("/sign-out", data={"csrf": zoe.session.csrf}, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 303


async def test_five_tabs_with_an_old_token_refresh_once(zoe: Browser) -> None:
    zoe.sign_in(left=1)
    zoe.services.answers["POST identity/v1/sessions/refresh"] = httpx2.Response(
        200, json=SIGNED_IN | {"access_token": "a2", "refresh_token": "r2"}
    )
    zoe.services.answers["GET registry/v1/catalog"] = httpx2.Response(200, json={"items": []})
    answers = await asyncio.gather(*(zoe.get("/applications") for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(zoe.services.asked("POST identity/v1/sessions/refresh")) == 1
    asked = zoe.services.asked("GET registry/v1/catalog")
    assert {call.headers["authorization"] for call in asked} == {"Bearer a2"}
    assert zoe.session.tokens is not None
    assert zoe.session.tokens.expires_at == NOW + 300


async def test_a_session_that_was_ended_elsewhere_leads_to_sign_in_and_says_so(zoe: Browser) -> None:
    zoe.sign_in()
    zoe.services.answers["GET registry/v1/catalog"] = problem(401, "auth.session_revoked")
    answer = await zoe.get("/applications")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/applications")
    assert "Your session has ended" in (await zoe.get(answer.headers["location"])).text
    assert "Your session has ended" not in (await zoe.get("/sign-in")).text
    assert zoe.session.tokens is None


async def test_a_form_that_meets_an_ended_session_leads_back_to_the_page_that_it_was_on(zoe: Browser) -> None:
    zoe.sign_in()
    zoe.services.answers["POST registry/v1/apps/app_1/disable"] = problem(401, "auth.token_expired")
    answer = await zoe.post("/pay/apps/app_1/enabled", {"enabled": "no"}, headers={"referer": f"{ORIGIN}/pay?q=corner"})
    assert path_of(answer.headers["location"]) == "/sign-in?next=/pay%3Fq%3Dcorner"


@pytest.mark.parametrize("path", ["/", "/applications", "/pay", "/account", "/account/sessions"])
async def test_with_every_service_away_a_page_still_stands_and_says_what_is_missing(zoe: Browser, path: str) -> None:
    zoe.sign_in()
    answer = await zoe.get(path)
    assert answer.status_code == 200
    assert "cannot be shown now" in answer.text
    assert "service does not answer" in answer.text


async def test_signing_out_ends_the_session_in_identity_and_forgets_everything_here(zoe: Browser) -> None:
    zoe.sign_in()
    zoe.services.answers["DELETE identity/v1/sessions/ses_1"] = httpx2.Response(204)
    assert (await zoe.post("/sign-out")).headers["location"] == "/sign-in"
    assert len(zoe.services.asked("DELETE identity/v1/sessions/ses_1")) == 1
    assert (zoe.session.tokens, zoe.session.email) == (None, "")


def registering(zoe: Browser, answer: httpx2.Response) -> None:
    zoe.sign_in()
    zoe.services.answers |= {"POST registry/v1/apps": answer, "GET registry/v1/countries": httpx2.Response(200, json={"items": [COUNTRY]})}


async def test_s29_s31_an_app_is_registered_and_the_next_page_says_so_once(zoe: Browser) -> None:
    registering(zoe, httpx2.Response(201, json=APP))
    answer = await zoe.post("/pay/apps/new", {"name": "Corner Shop", "country": "US", "key": "k1"})
    assert answer.headers["location"] == "/pay"
    [call] = zoe.services.asked("POST registry/v1/apps")
    assert call.headers["idempotency-key"] == "k1"
    assert "Corner Shop is registered." in (await zoe.get("/pay")).text
    assert "Corner Shop is registered." not in (await zoe.get("/pay")).text


async def test_s32_a_form_that_was_refused_keeps_its_idempotency_key_and_its_input(zoe: Browser) -> None:
    registering(
        zoe, problem(422, "request.invalid", ("/name", "registry.name_length", "3 to 256."), ("/logo", "registry.logo_type", "PNG."))
    )
    answer = await zoe.post("/pay/apps/new", {"name": '"><script>x', "city": "Ærø", "country": "US", "key": "k1"})
    assert answer.status_code == 422
    assert 'name="key" value="k1"' in answer.text
    assert 'value="Ærø"' in answer.text
    assert 'value="&#34;&gt;&lt;script&gt;x"' in answer.text
    assert answer.text.index("2 fields need another look") < answer.text.index('href="#logo"') < answer.text.index('href="#name"')


async def test_a_form_whose_key_was_used_for_another_app_gets_a_new_one(zoe: Browser) -> None:
    registering(zoe, problem(409, "idempotency.key_reused"))
    answer = await zoe.post("/pay/apps/new", {"name": "Other", "key": "k1"})
    assert "has registered an app before" in answer.text
    assert 'name="key" value="k1"' not in answer.text


async def test_without_javascript_a_button_brings_the_states_and_nothing_is_registered(zoe: Browser) -> None:
    registering(zoe, httpx2.Response(201, json=APP))
    zoe.services.answers["GET registry/v1/countries"] = httpx2.Response(200, json={"items": [COUNTRY | {"has_states": True}]})
    states = {"items": [{"code": "US-PA", "name": "Pennsylvania", "kind": "State", "parent": None}]}
    zoe.services.answers["GET registry/v1/countries/US/states"] = httpx2.Response(200, json=states)
    answer = await zoe.post("/pay/apps/new", {"name": "Corner Shop", "country": "US", "do": "country"})
    assert '<option value="US-PA">Pennsylvania</option>' in answer.text
    assert 'value="Corner Shop"' in answer.text
    assert zoe.services.asked("POST registry/v1/apps") == []


async def test_the_service_learns_who_asks_and_from_where(zoe: Browser) -> None:
    zoe.sign_in()
    await zoe.get("/applications", headers={"user-agent": "Browser/1", "x-request-id": "request-4711"})
    [call] = zoe.services.asked("GET registry/v1/catalog")
    assert (call.headers["user-agent"], call.headers["x-request-id"], call.headers["authorization"]) == (
        "Browser/1",
        "request-4711",
        "Bearer access-1",
    )
    assert call.headers["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/pay/apps/..%2f..%2faccount", "/pay/apps/app_1%20x/edit", "/pay/apps/acc_1/edit"])
async def test_an_id_that_is_none_is_not_found_and_no_service_is_asked(zoe: Browser, path: str) -> None:
    zoe.sign_in()
    assert (await zoe.get(path)).status_code == 404
    assert zoe.services.calls == []


async def test_what_is_larger_than_a_form_may_be_is_refused_with_a_page(zoe: Browser) -> None:
    zoe.sign_in()
    answer = await zoe.http.post("/pay/apps/new", content=b"x", headers={"origin": ORIGIN, "content-length": str(9 * 1024 * 1024)})
    assert answer.status_code == 413
    assert "That is too much at once" in answer.text
    assert answer.headers["content-security-policy"] == POLICY


async def test_a_form_that_comes_too_slowly_is_given_up_with_a_page(zoe: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PageRoute, "form_seconds", 0.1)

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b"a"
            await asyncio.sleep(0.02)

    form = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    async with asyncio.timeout(10):
        answer = await zoe.http.post("/sign-in", content=dripping(), headers=form)
    assert answer.status_code == 408
    assert "That took too long to arrive" in answer.text
    assert answer.headers["connection"] == "close"


async def test_a_file_whose_service_falls_silent_is_cut_off(zoe: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PIECE_SECONDS", 0.1)
    zoe.sign_in()

    async def falling_silent() -> AsyncIterator[bytes]:
        yield b"Transaction ID\r\n"
        await asyncio.sleep(60)

    zoe.services.answers["GET metrics/v1/apps/app_1/transactions.csv"] = httpx2.Response(200, content=falling_silent())
    async with asyncio.timeout(10):
        answer = await zoe.get("/pay/apps/app_1/transactions.csv")
    assert answer.content == b"Transaction ID\r\n"
