"""S17–S19 over HTTP: the picture as the body or in a form, shown safely, gone when it is removed."""

import base64
import hashlib
from io import BytesIO

import asyncpg
import pytest
from PIL import Image

from services.registry.projections.logos import LogoTable
from stack.databases import Database
from tests.registry.builders import a_form
from tests.registry.images import BOMBS, BROKEN, OTHERS, POLYGLOTS, SCRIPT, of_bytes, picture, talkative
from tests.registry.owner import Owner, refused

pytestmark = pytest.mark.stack


@pytest.fixture
async def logo(owner: Owner) -> str:
    """The address of the logo of an app that has none yet."""
    return f"/v1/apps/{(await owner.add())['app_id']}/logo"


@pytest.mark.parametrize("said", ["image/png", "image/jpeg", "application/octet-stream", "text/html", None])
async def test_s18_the_content_counts_and_not_what_is_said_of_it(owner: Owner, logo: str, said: str | None) -> None:
    answer = await owner.call("PUT", logo, content=picture("JPEG"), headers={"content-type": said} if said else {})
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.headers["etag"]) == (2, '"2"')
    shown = await owner.call("GET", logo)
    assert shown.status_code == 200
    assert Image.open(BytesIO(shown.content)).format == "PNG"
    assert hashlib.sha256(shown.content).hexdigest() == answer.json()["logo_hash"]


async def test_a_logo_is_shown_so_that_no_browser_runs_it(owner: Owner, logo: str) -> None:
    await owner.call("PUT", logo, content=POLYGLOTS["a script behind a PNG"])
    shown = await owner.call("GET", logo)
    assert SCRIPT not in shown.content
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    assert shown.headers["content-disposition"].startswith("inline;")
    assert shown.headers["cache-control"].startswith("private")


async def test_a_logo_that_is_known_is_not_sent_again(owner: Owner, logo: str) -> None:
    await owner.call("PUT", logo, content=picture())
    tag = (await owner.call("GET", logo)).headers["etag"]
    again = await owner.call("GET", logo, headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await owner.call("GET", logo, headers={"if-none-match": '"other"'})).status_code == 200


async def test_s17_a_logo_may_come_in_a_form(owner: Owner, logo: str) -> None:
    answer = await owner.call("PUT", logo, files={"logo": ("../../evil.html", picture(), "text/html")})
    assert (answer.status_code, (await owner.call("GET", logo)).headers["content-type"]) == (200, "image/png")


async def test_a_form_without_a_file_is_refused(owner: Owner, logo: str) -> None:
    form = b'--x\r\ncontent-disposition: form-data; name="logo"\r\n\r\ntext\r\n--x--\r\n'
    answer = await owner.call("PUT", logo, content=form, headers={"content-type": "multipart/form-data; boundary=x"})
    refused(answer, 422, "request.invalid", "/logo")
    for broken in ("multipart/form-data; boundary=y", "multipart/form-data"):
        assert (await owner.call("PUT", logo, content=form, headers={"content-type": broken})).status_code in {400, 422}
    two = await owner.call("PUT", logo, files=[("a", ("a.png", picture())), ("b", ("b.png", picture()))])
    refused(two, 400, "request.malformed")


async def test_s19_102400_bytes_pass_and_102401_fail(owner: Owner, logo: str) -> None:
    refused(await owner.call("PUT", logo, content=of_bytes(102_401)), 413, "registry.logo_too_large")
    refused(await owner.call("PUT", logo, files={"logo": of_bytes(102_401)}), 413, "registry.logo_too_large")
    refused(await owner.call("PUT", logo, content=of_bytes(300_000)), 413, "request.too_large")
    refused(await owner.call("PUT", logo, files={"logo": of_bytes(300_000)}), 413, "request.too_large")
    refused(await owner.call("GET", logo), 404, "registry.logo_not_found")
    assert (await owner.call("PUT", logo, content=of_bytes(102_400))).status_code == 200
    assert (await owner.call("PUT", logo, files={"logo": of_bytes(102_400)})).status_code == 200


async def test_the_corpus_is_refused_and_stores_nothing(owner: Owner, logo: str, db: asyncpg.Connection) -> None:
    before = await db.fetchval("SELECT count(*) FROM logos")
    expected = [(415, "registry.logo_type", OTHERS), (422, "registry.logo_pixels", BOMBS), (422, "registry.logo_unreadable", BROKEN)]
    for status, code, corpus in expected:
        for name, content in corpus.items():
            answer = await owner.call("PUT", logo, content=content, headers={"content-type": "image/png"})
            assert (answer.status_code, answer.json()["code"]) in {(status, code), (415, "registry.logo_type")}, (name, answer.text)
    assert await db.fetchval("SELECT count(*) FROM logos") == before
    assert (await owner.get(logo.split("/")[3]))["logo_hash"] is None


async def test_the_same_logo_again_is_no_event_and_another_one_is(owner: Owner, logo: str) -> None:
    versions = [(await owner.call("PUT", logo, content=image)).json()["version"] for image in (picture(), picture(), talkative())]
    assert versions == [2, 2, 3]


async def test_a_removed_logo_is_gone(owner: Owner, logo: str) -> None:
    await owner.call("PUT", logo, content=picture())
    refused(await owner.call("DELETE", logo, headers={"if-match": '"1"'}), 412, "resource.version_mismatch")
    gone = [await owner.call("DELETE", logo) for _ in range(2)]
    assert [(answer.status_code, answer.headers["etag"]) for answer in gone] == [(204, '"3"'), (204, '"3"')]
    refused(await owner.call("GET", logo), 404, "registry.logo_not_found")


async def test_an_archived_app_keeps_its_logo(owner: Owner, logo: str) -> None:
    await owner.call("PUT", logo, content=picture())
    await owner.call("POST", logo.replace("/logo", "/archive"))
    assert (await owner.call("GET", logo)).status_code == 200
    refused(await owner.call("PUT", logo, content=talkative()), 409, "registry.app_archived")
    refused(await owner.call("DELETE", logo), 409, "registry.app_archived")


async def test_pictures_that_no_app_shows_are_swept_after_an_hour(
    owner: Owner, logo: str, db: asyncpg.Connection, database: Database
) -> None:
    images = [picture(colour=(7, 7, number)) for number in (1, 2)]
    unused, shown = [(await owner.call("PUT", logo, content=image)).json()["logo_hash"] for image in images]

    async def kept() -> set[str]:
        return {row["hash"] for row in await db.fetch("SELECT hash FROM logos WHERE hash IN ($1, $2)", unused, shown)}

    async with asyncpg.create_pool(database.app, min_size=1, max_size=1) as pool:
        table = LogoTable(pool)
        await table.sweep()
        assert await kept() == {unused, shown}
        await db.execute("UPDATE logos SET stored_at = stored_at - interval '2 hours'")
        await table.sweep()
    assert await kept() == {shown}
    assert (await owner.call("GET", logo)).status_code == 200


async def test_a_logo_may_come_with_the_form(owner: Owner) -> None:
    app = await owner.add(logo=base64.b64encode(of_bytes(102_400)).decode())
    shown = await owner.call("GET", f"/v1/apps/{app['app_id']}/logo")
    assert (app["version"], hashlib.sha256(shown.content).hexdigest()) == (2, app["logo_hash"])


@pytest.mark.parametrize(
    ("logo", "code"),
    [
        (base64.b64encode(of_bytes(102_401)).decode(), "registry.logo_too_large"),
        (base64.b64encode(SCRIPT).decode(), "registry.logo_type"),
        ("no base64!", "registry.logo_type"),
        (7, "registry.logo_type"),
    ],
)
async def test_a_wrong_logo_is_named_with_the_other_wrong_fields_and_nothing_is_stored(owner: Owner, logo: object, code: str) -> None:
    answer = await owner.call("POST", "/v1/apps", json=a_form(name="x", logo=logo))
    refused(answer, 422, "request.invalid", "/logo", "/name")
    assert answer.json()["errors"][0]["code"] == code
    assert await owner.names() == []


async def test_an_app_and_its_logo_change_together_or_not_at_all(owner: Owner) -> None:
    app = await owner.add()
    path = f"/v1/apps/{app['app_id']}"
    image = base64.b64encode(picture()).decode()
    answer = await owner.call("PATCH", path, json={"name": "Corner Store", "logo": image}, headers={"if-match": '"1"'})
    shown = answer.json()
    assert (answer.status_code, shown["name"]) == (200, "Corner Store")
    assert hashlib.sha256((await owner.call("GET", f"{path}/logo")).content).hexdigest() == shown["logo_hash"]
    wrong = {"name": "x", "logo": base64.b64encode(b"no picture").decode()}
    tag = {"if-match": answer.headers["etag"]}
    refused(await owner.call("PATCH", path, json=wrong, headers=tag), 422, "request.invalid", "/logo", "/name")
    refused(await owner.call("PATCH", path, json={"name": "x", "logo": image}, headers=tag), 422, "request.invalid", "/name")
    stale = await owner.call("PATCH", path, json={"name": "Other", "logo": None}, headers={"if-match": '"1"'})
    refused(stale, 412, "resource.version_mismatch")
    assert await owner.get(app["app_id"]) == shown
    kept = await owner.call("PATCH", path, json={"name": "Corner"}, headers=tag)
    assert kept.json()["logo_hash"] == shown["logo_hash"]
    gone = await owner.call("PATCH", path, json={"city": None, "logo": None}, headers={"if-match": kept.headers["etag"]})
    assert (gone.json()["logo_hash"], gone.json()["city"], gone.json()["name"]) == (None, None, "Corner")
