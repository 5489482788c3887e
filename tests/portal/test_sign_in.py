"""S01–S05: the way in."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.people import Developer, mailed_code
from tests.portal.browsers import enter
from tests.product import Product

pytestmark = pytest.mark.stack


async def try_to_enter(page: Page, email: str, password: str) -> tuple[int, str]:
    """What is answered: the status, and the sentence."""
    await page.goto("/sign-in")
    await page.get_by_label("Enter Your Email").fill(email)
    await page.get_by_label("Enter Password").fill(password)
    async with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        await page.get_by_role("button", name="Sign In").click()
    summary = page.get_by_role("alert")
    await expect(summary).to_be_focused()
    return (await answered.value).status, await summary.inner_text()


async def test_s01_the_sign_in_page_has_its_own_url_and_asks_for_the_email(page: Page) -> None:
    await page.goto("/sign-in")
    email = page.get_by_label("Enter Your Email")
    await expect(email).to_be_visible()
    await expect(email).to_have_attribute("autocomplete", "username")
    await expect(page).to_have_title(re.compile("Sign in", re.IGNORECASE))


async def test_s02_the_password_is_masked_and_an_eye_shows_it(page: Page) -> None:
    await page.goto("/sign-in")
    password = page.get_by_label("Enter Password", exact=True)
    await expect(password).to_have_attribute("type", "password")
    await expect(password).to_have_attribute("autocomplete", "current-password")
    await password.fill("not for every eye")
    await page.get_by_role("button", name="Show password").click()
    await expect(password).to_have_attribute("type", "text")
    await expect(password).to_have_value("not for every eye")
    await page.get_by_role("button", name=re.compile("(Hide|Show) password")).click()
    await expect(password).to_have_attribute("type", "password")


async def test_s03_the_right_email_and_password_open_the_account(page: Page, developer: Developer) -> None:
    await enter(page, developer)
    await expect(page.get_by_role("navigation").get_by_role("link", name="Applications", exact=True)).to_be_visible()


async def test_s03_a_password_that_was_pasted_is_taken(page: Page, developer: Developer) -> None:
    await page.goto("/sign-in")
    await page.get_by_label("Enter Your Email").fill(developer.email)
    await page.get_by_label("Enter Password", exact=True).focus()
    await page.keyboard.insert_text(developer.password)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="Applications", exact=True)).to_be_visible()


async def test_s04_unknown_wrong_and_locked_look_the_same_and_open_nothing(page: Page, developer: Developer) -> None:
    unknown = await try_to_enter(page, "nobody@example.com", "not-the-password")
    wrong = await try_to_enter(page, developer.email, "not-the-password")
    for _ in range(5):
        await developer.call("POST", "identity", "/v1/sessions", json={"email": developer.email, "password": "not-the-password"})
    locked = await try_to_enter(page, developer.email, developer.password)
    assert unknown == wrong == locked
    await page.goto("/applications")
    await expect(page).to_have_url(re.compile("/sign-in"))


async def test_s05_links_to_a_forgotten_password_and_to_registering(page: Page) -> None:
    await page.goto("/sign-in")
    await page.get_by_role("link", name="Forgot Password?").click()
    await expect(page).to_have_url(re.compile("/forgot-password$"))
    await page.goto("/sign-in")
    await page.get_by_role("link", name="Register Now").click()
    await expect(page).to_have_url(re.compile("/register$"))


async def test_somebody_registers_verifies_and_signs_in_by_the_pages_alone(page: Page, product: Product, developer: Developer) -> None:
    newcomer = Developer(product, developer.http)
    await page.goto("/register")
    await page.get_by_label("Your Name").fill("Ada Lovelace")
    await page.get_by_label("Email").fill(newcomer.email)
    await page.get_by_label("Password*").fill(newcomer.password)
    await page.get_by_role("button", name="Create Account").click()
    await expect(page).to_have_url(re.compile("/verify"))
    code = await mailed_code(product.stack.mail_directory, newcomer.email)
    await page.get_by_label("Code").fill(code)
    await page.get_by_role("button", name="Verify", exact=True).click()
    await expect(page).to_have_url(re.compile("/sign-in"))
    await page.get_by_label("Enter Password", exact=True).fill(newcomer.password)
    await page.get_by_role("button", name="Sign In").click()
    await expect(page.get_by_role("link", name="Applications", exact=True)).to_be_visible()


async def test_whoever_verifies_a_contested_registration_is_led_to_choosing_a_password(
    page: Page, product: Product, developer: Developer
) -> None:
    stranger = Developer(product, developer.http)
    other = {"email": stranger.email, "password": "a-password-of-somebody-else-31", "name": "Mallory"}
    assert (await stranger.call("POST", "identity", "/v1/accounts", json=other)).status_code == 202
    await mailed_code(product.stack.mail_directory, stranger.email)
    await page.goto("/register")
    await page.get_by_label("Your Name").fill("Ada Lovelace")
    await page.get_by_label("Email").fill(stranger.email)
    await page.get_by_label("Password*").fill(stranger.password)
    await page.get_by_role("button", name="Create Account").click()
    await page.get_by_label("Code").fill(await mailed_code(product.stack.mail_directory, stranger.email, after=1))
    await page.get_by_role("button", name="Verify", exact=True).click()
    await expect(page).to_have_url(re.compile("/forgot-password$"))
    await expect(page.get_by_text("none of them counts")).to_be_visible()
    await expect(page.get_by_label("Email")).to_have_value(stranger.email)
    await page.get_by_role("button", name="Send the Code").click()
    await page.get_by_label("Code").fill(await mailed_code(product.stack.mail_directory, stranger.email, after=2))
    await page.get_by_label("New Password*").fill(stranger.password)
    await page.get_by_role("button", name="Change Password").click()
    await enter(page, stranger)


async def test_a_forgotten_password_is_replaced_with_the_mailed_code(page: Page, product: Product, developer: Developer) -> None:
    await page.goto("/forgot-password")
    await page.get_by_label("Email").fill(developer.email)
    await page.get_by_role("button", name="Send the Code").click()
    await expect(page).to_have_url(re.compile("/reset-password"))
    code = await mailed_code(product.stack.mail_directory, developer.email, after=1)
    developer.password = "another-horse-entirely-77"
    await page.get_by_label("Code").fill(code)
    await page.get_by_label("New Password*").fill(developer.password)
    await page.get_by_role("button", name="Change Password").click()
    await expect(page).to_have_url(re.compile("/sign-in"))
    await enter(page, developer)


async def test_signing_out_closes_every_page(page: Page, developer: Developer) -> None:
    await enter(page, developer)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(re.compile("/sign-in"))
    await page.goto("/applications")
    await expect(page).to_have_url(re.compile("/sign-in"))
    await page.go_back()
    await expect(page.get_by_role("link", name="Applications", exact=True)).to_have_count(0)
