"""The page of errors is what the code says, and no two refusals share a code."""

from pathlib import Path

import pytest

from shared.errors import Conflict
from shared.http import error_pages
from shared.http.refusals import BadCursor


def test_every_refusal_of_kit_and_services_stands_on_the_page_once() -> None:
    kinds = error_pages.load()
    page = error_pages.page(kinds)
    assert {kind.code.partition(".")[0] for kind in kinds} >= {"auth", "identity", "keys", "metrics", "registry", "request", "service"}
    for kind in kinds:
        assert page.count(f"| `{kind.code}` | {kind.status} |") == 1
    assert "<service>" not in page


def test_a_code_that_two_claim_stops_the_page() -> None:
    kind = type("Thief", (Conflict,), {"code": BadCursor.code, "__module__": "shared.http.thief"})
    try:
        with pytest.raises(error_pages.CodeTaken, match=r"request\.bad_cursor is claimed by"):
            error_pages.load()
    finally:
        kind.__module__ = "elsewhere"
    assert kind not in error_pages.load()


def test_a_stale_page_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(error_pages, "ROOT", tmp_path)
    assert error_pages.main(["--check"]) == 1
    assert "run: python -m shared.http.error_pages" in capsys.readouterr().err
    assert error_pages.main([]) == 0
    assert error_pages.main(["--check"]) == 0
