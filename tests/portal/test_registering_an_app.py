"""S15–S33: from no app to a list of them."""

import asyncio
import re
from collections.abc import Callable

import pytest
from playwright.async_api import Locator, Page, expect

from tests.people import Developer
from tests.portal import pictures
from tests.portal.conftest import SignedIn

pytestmark = pytest.mark.stack
EMPTY = "You have not registered any Application yet"
MANDATORY = ("App Name*", "Email*", "Address*", "Country*", "Zip Code/Postal Code*")
OPTIONAL = ("Upload your app logo (Optional)", "Phone Number (Optional)", "State (Optional)", "City (Optional)")


def field(page: Page, label: str) -> Locator:
    """A field by its whole label, star and "(Optional)" included."""
    return page.get_by_label(re.compile(r"^\s*" + r"\s*".join(map(re.escape, label.split(" "))) + r"\s*$"))


async def fill(page: Page, **changes: str) -> None:
    """The mandatory fields, or what a test wants in them."""
    values = {
        "App Name*": "Corner Shop", "Email*": "shop@example.com", "Address*": "1 High Street", "Zip Code/Postal Code*": "SW1A 1AA",
    } | changes  # fmt: skip
    await field(page, "Country*").select_option(values.pop("Country*", "GB"))
    for label, value in values.items():
        await field(page, label).fill(value)


async def submit(page: Page) -> None:
    """The button of the form."""
    await page.get_by_role("main").get_by_role("button", name="Add App", exact=True).click()


async def apps_of(developer: Developer) -> list[str]:
    """The names of what is really registered."""
    return [app["name"] for app in (await developer.call("GET", "registry", "/v1/apps")).json()["items"]]


async def refused(page: Page, label: str, sentence: str = "") -> None:
    """The form is here still, and marks this field."""
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(field(page, label)).to_have_attribute("aria-invalid", "true")
    if sentence:
        await expect(page.get_by_role("alert")).to_contain_text(sentence)


async def test_s15_s16_the_empty_sentence_and_the_way_to_the_form(signed_in: SignedIn) -> None:
    page = await signed_in()
    await page.goto("/pay")
    await expect(page.get_by_text(EMPTY, exact=True)).to_be_visible()
    await page.get_by_role("link", name="Add App").first.click()
    await expect(page.get_by_role("heading", name="Register an App", level=1)).to_be_visible()
    await expect(page).to_have_title(re.compile("Register an App"))


async def test_s16_with_an_app_the_empty_sentence_is_gone_and_the_button_stays(signed_in: SignedIn, developer: Developer) -> None:
    await developer.add_app()
    page = await signed_in()
    await page.goto("/pay")
    await expect(page.get_by_role("link", name="Add App").first).to_be_visible()
    await expect(page.get_by_text(EMPTY)).to_have_count(0)


async def test_s17_s31_without_a_logo_and_what_else_is_optional_the_app_is_registered_and_confirmed(
    signed_in: SignedIn, developer: Developer
) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page)
    await submit(page)
    await expect(page).to_have_url(re.compile("/pay$"))
    await expect(page.get_by_role("status").filter(has_text="registered")).to_contain_text("Corner Shop")
    await expect(page.get_by_role("link", name="Corner Shop", exact=True)).to_be_visible()
    assert await apps_of(developer) == ["Corner Shop"]


@pytest.mark.parametrize(("name", "picture"), [("logo.png", pictures.png), ("logo.jpg", pictures.jpeg), ("logo.jpeg", pictures.jpeg)])
async def test_s18_png_jpg_and_jpeg_are_taken_and_previewed(
    signed_in: SignedIn, developer: Developer, name: str, picture: Callable[[], bytes]
) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page)
    await field(page, OPTIONAL[0]).set_input_files({"name": name, "mimeType": "image/png", "buffer": picture()})
    await expect(page.locator("img[src^='blob:']")).to_be_visible()
    await submit(page)
    await expect(page).to_have_url(re.compile("/pay$"))
    [app] = (await developer.call("GET", "registry", "/v1/apps")).json()["items"]
    assert (await developer.call("GET", "registry", f"/v1/apps/{app['app_id']}/logo")).content.startswith(b"\x89PNG")
    logo = page.locator(f"img[src*='{app['app_id']}']").first
    await expect(logo).to_be_visible()
    assert await logo.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")


@pytest.mark.parametrize(("name", "content"), [("logo.png", pictures.SCRIPT), ("logo.png", pictures.GIF), ("logo.jpg", pictures.SVG)])
async def test_s18_anything_else_is_refused_by_its_bytes_whatever_its_name(
    signed_in: SignedIn, developer: Developer, name: str, content: bytes
) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page)
    await field(page, OPTIONAL[0]).set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    await submit(page)
    await refused(page, OPTIONAL[0])
    await expect(field(page, "App Name*")).to_have_value("Corner Shop")
    assert await apps_of(developer) == []


async def test_s19_a_logo_of_102_400_bytes_passes_and_one_byte_more_is_refused(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    for size, taken in ((102_401, False), (102_400, True)):
        await page.goto("/pay/apps/new")
        await fill(page)
        await field(page, OPTIONAL[0]).set_input_files({"name": "l.png", "mimeType": "image/png", "buffer": pictures.png(size)})
        await submit(page)
        if taken:
            await expect(page).to_have_url(re.compile("/pay$"))
        else:
            await refused(page, OPTIONAL[0], "100 KB")
            assert await apps_of(developer) == []
    assert await apps_of(developer) == ["Corner Shop"]


@pytest.mark.parametrize("label", MANDATORY)
async def test_s20_s22_s24_s27_s29_a_mandatory_field_left_empty_is_marked_and_nothing_is_stored(
    signed_in: SignedIn, developer: Developer, label: str
) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page, **{"City (Optional)": "London"} | {label: ""})
    await submit(page)
    await refused(page, label)
    await expect(field(page, "City (Optional)")).to_have_value("London")
    assert await apps_of(developer) == []


@pytest.mark.parametrize(
    ("label", "value"),
    [("App Name*", "ab"), ("App Name*", "x" * 257), ("Email*", "not an address"), ("Zip Code/Postal Code*", "12")],
)
async def test_s20_s21_s27_wrong_values_are_marked_and_kept(signed_in: SignedIn, developer: Developer, label: str, value: str) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page)
    await field(page, label).evaluate("(field, value) => { field.removeAttribute('maxlength'); field.value = value }", value)
    await submit(page)
    await refused(page, label)
    await expect(field(page, label)).to_have_value(value)
    assert await apps_of(developer) == []


async def test_s20_a_name_that_i_have_already_is_refused(signed_in: SignedIn, developer: Developer) -> None:
    await developer.add_app(name="Corner Shop")
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page)
    await submit(page)
    await refused(page, "App Name*")
    assert await apps_of(developer) == ["Corner Shop"]


async def test_s21_the_email_need_not_be_that_of_the_account(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page, **{"Email*": "billing@elsewhere.example"})
    await submit(page)
    await expect(page.get_by_role("cell", name="billing@elsewhere.example")).to_be_visible()
    assert await apps_of(developer) == ["Corner Shop"]


async def test_s23_a_phone_number_needs_its_country_code(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page, **{"Phone Number (Optional)": "020 7946 0018"})
    await submit(page)
    await refused(page, "Phone Number (Optional)")
    await field(page, "Phone Number (Optional)").fill("+44 20 7946 0018")
    await submit(page)
    await expect(page).to_have_url(re.compile("/pay$"))
    [app] = (await developer.call("GET", "registry", "/v1/apps")).json()["items"]
    assert app["phone"] == "+442079460018"


async def test_s24_s25_the_country_drives_the_states_and_changing_it_clears_the_state(signed_in: SignedIn) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    state = field(page, "State (Optional)")
    await field(page, "Country*").select_option("DE")
    await expect(state.locator("option", has_text="Bayern")).to_have_count(1)
    await state.select_option("DE-BY")
    await field(page, "Country*").select_option("US")
    await expect(state).to_have_value("")
    await expect(state.locator("option", has_text="California")).to_have_count(1)
    await expect(state.locator("option", has_text="Bayern")).to_have_count(0)


async def test_s28_mandatory_labels_carry_a_star_and_the_others_say_optional(signed_in: SignedIn) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    for label in (*MANDATORY, *OPTIONAL):
        await expect(field(page, label)).to_have_count(1)
    labels = await page.get_by_role("main").locator("form label").all_inner_texts()
    assert [text for text in labels if not text.strip().endswith(("*", "(Optional)"))] == []


async def test_s26_s29_the_summary_links_to_each_wrong_field_and_has_the_focus(signed_in: SignedIn) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page, **{"App Name*": "", "Email*": "nope"})
    await submit(page)
    summary = page.get_by_role("alert")
    await expect(summary).to_be_focused()
    await summary.get_by_role("link", name="Email").click()
    await expect(field(page, "Email*")).to_be_focused()


async def test_s30_cancel_leaves_the_form_and_nothing_is_stored(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page)
    await page.get_by_role("link", name="Cancel").click()
    await expect(page).to_have_url(re.compile("/pay$"))
    await expect(page.get_by_text(EMPTY, exact=True)).to_be_visible()
    assert await apps_of(developer) == []


async def test_s32_a_double_click_registers_one_app(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page)
    await page.get_by_role("main").get_by_role("button", name="Add App", exact=True).dblclick()
    await expect(page).to_have_url(re.compile("/pay$"))
    assert await apps_of(developer) == ["Corner Shop"]


async def test_s32_the_same_form_sent_twice_registers_one_app(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    await fill(page)
    sent = "form => Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === 'string'))"
    form = await page.locator("form", has=field(page, "App Name*")).evaluate(sent)
    headers = {"origin": page.url.removesuffix("/pay/apps/new")}
    answers = await asyncio.gather(
        *(page.request.post("/pay/apps/new", multipart=form, headers=headers, max_redirects=0) for _ in range(3))
    )
    assert [answer.status for answer in answers] == [303, 303, 303]
    assert await apps_of(developer) == ["Corner Shop"]


async def test_s33_the_dashboard_lists_apps_with_a_switch_and_edit(signed_in: SignedIn, developer: Developer) -> None:
    app = await developer.add_app(name="Corner Shop")
    page = await signed_in()
    await page.goto("/pay")
    assert re.fullmatch(r"app_[0-9A-Za-z]{8,}", app["app_id"])
    for column in ("App ID", "App Name", "Email", "Country"):
        await expect(page.get_by_role("columnheader", name=column, exact=True)).to_be_visible()
    row = page.get_by_role("row", name=re.compile("Corner Shop"))
    for text in (app["app_id"], "Corner Shop", "shop@example.com", re.compile("United Kingdom|GB")):
        await expect(row).to_contain_text(text)
    switch = row.get_by_role("switch")
    await expect(switch).to_be_checked()
    await switch.click()
    await expect(page.get_by_role("row", name=re.compile("Corner Shop")).get_by_role("switch")).not_to_be_checked()
    assert (await developer.call("GET", "registry", f"/v1/apps/{app['app_id']}")).json()["status"] == "disabled"
    await page.get_by_role("row", name=re.compile("Corner Shop")).get_by_role("switch").click()
    await expect(page.get_by_role("row", name=re.compile("Corner Shop")).get_by_role("switch")).to_be_checked()


async def test_s33_edit_changes_the_app(signed_in: SignedIn, developer: Developer) -> None:
    app = await developer.add_app(name="Corner Shop")
    page = await signed_in()
    await page.goto("/pay")
    await page.get_by_role("row", name=re.compile("Corner Shop")).get_by_role("link", name=re.compile("Edit")).click()
    await expect(page).to_have_url(re.compile(f"/pay/apps/{app['app_id']}/edit$"))
    await expect(field(page, "App Name*")).to_have_value("Corner Shop")
    await field(page, "App Name*").fill("Corner Store")
    await page.get_by_role("button", name=re.compile("Save")).click()
    await expect(page.get_by_role("status").filter(has_text="Corner Store")).to_be_visible()
    assert await apps_of(developer) == ["Corner Store"]


async def test_s33_details_and_logo_are_saved_together_or_not_at_all(signed_in: SignedIn, developer: Developer) -> None:
    app = await developer.add_app(name="Corner Shop")
    page, path = await signed_in(), f"/pay/apps/{app['app_id']}/edit"
    await page.goto(path)
    await field(page, "App Name*").fill("Corner Store")
    await field(page, "Zip Code/Postal Code*").fill("wrong")
    await page.locator("#logo").set_input_files({"name": "logo.png", "mimeType": "image/png", "buffer": pictures.png()})
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("One field needs another look")
    assert (await developer.call("GET", "registry", f"/v1/apps/{app['app_id']}")).json() == app
    await field(page, "Zip Code/Postal Code*").fill(str(app["postal_code"]))
    await page.locator("#logo").set_input_files({"name": "logo.png", "mimeType": "image/png", "buffer": pictures.png()})
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="Corner Store")).to_be_visible()
    saved = (await developer.call("GET", "registry", f"/v1/apps/{app['app_id']}")).json()
    assert (saved["name"], saved["logo_hash"] is None) == ("Corner Store", False)
    await page.goto(path)
    await page.get_by_label("Remove the logo").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="Corner Store")).to_be_visible()
    assert (await developer.call("GET", "registry", f"/v1/apps/{app['app_id']}")).json()["logo_hash"] is None


@pytest.mark.parametrize("scripts", [True, False])
async def test_s33_the_heads_of_the_columns_sort(signed_in: SignedIn, developer: Developer, *, scripts: bool) -> None:
    for name in ("Banana", "Éclair", "apple"):
        app = await developer.add_app(name=name)
    await developer.call("POST", "registry", f"/v1/apps/{app['app_id']}/disable")
    page = await signed_in(java_script_enabled=scripts)
    await page.goto("/pay")

    async def order(column: str, direction: str, names: list[str]) -> None:
        await expect(page.get_by_role("columnheader", name=column, exact=True)).to_have_attribute("aria-sort", direction)
        assert await page.locator("th[aria-sort]").count() == 1
        assert await page.get_by_role("rowheader").get_by_role("link").all_inner_texts() == names

    await order("App ID", "descending", ["apple", "Éclair", "Banana"])
    for column, direction, names in (
        ("App Name", "ascending", ["apple", "Banana", "Éclair"]), ("App Name", "descending", ["Éclair", "Banana", "apple"]),
        ("Enabled", "ascending", ["Banana", "Éclair", "apple"]), ("App ID", "descending", ["apple", "Éclair", "Banana"]),
        ("App ID", "ascending", ["Banana", "Éclair", "apple"]),
    ):  # fmt: skip
        await page.get_by_role("columnheader", name=column, exact=True).get_by_role("link").click()
        await page.wait_for_load_state()
        await order(column, direction, names)
    await page.get_by_role("searchbox").fill("a")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("sort=registered_at"))


async def test_s33_on_a_small_screen_the_order_is_chosen_beside_the_search(signed_in: SignedIn, developer: Developer) -> None:
    for name in ("Banana", "apple"):
        await developer.add_app(name=name)
    page = await signed_in(viewport={"width": 360, "height": 780})
    await page.goto("/pay")
    await page.get_by_label("Sort by").select_option("Name, Z to A")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("rowheader").first).to_contain_text("Banana")


async def test_s33_search_finds_by_name_among_many(signed_in: SignedIn, developer: Developer) -> None:
    for number in range(30):
        await developer.add_app(name=f"Shop number {number:02}")
    page = await signed_in()
    await page.goto("/pay")
    await page.get_by_role("searchbox").fill("number 07")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="Shop number 07", exact=True)).to_be_visible()
    await expect(page.get_by_role("switch")).to_have_count(1)
