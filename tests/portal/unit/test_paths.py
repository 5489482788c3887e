"""Where somebody is sent after signing in: always to a page of ours."""

import pytest

from portal.pages.visit import inside


@pytest.mark.parametrize("path", ["/pay", "/pay/apps/app_1?status=failed&tz=UTC", "/"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert inside(path) == path


@pytest.mark.parametrize(
    "path", [None, "", "pay", "//evil.example", "/\\evil.example", "https://evil.example/", "/a\r\nset-cookie: x", "/\t/x"]
)
def test_anything_else_leads_home(path: str | None) -> None:
    assert inside(path) == "/"
