"""The gate of sizes and house laws sees each stray that it is there for."""

from pathlib import Path

import pytest

from tests.house.sizes import Source, sources, strays

pytestmark = pytest.mark.slow  # it parses sources

OPENING = '"""A sentence."""\n'
FUNCTION = "def f() -> None:\n" + "    x = 1\n" * 50


def found(path: str, text: str) -> list[str]:
    return strays([Source(Path(path), text)])


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("services/keys/commands.py", OPENING + "x = 1\n" * 400, "401 lines; 400 is the stop"),
        ("tests/keys/test_x.py", OPENING + "x = 1\n" * 500, "501 lines; 500 is the stop"),
        ("services/keys/commands.py", OPENING + FUNCTION, "f has 51 lines; 50 is the stop"),
        ("services/keys/commands.py", "x = 1\n", "no opening sentence"),
        ("shared/utils.py", OPENING, "a drawer, not a room"),
        ("services/keys/api/base.py", OPENING, "a drawer, not a room"),
        ("services/keys/handlers.py", OPENING, "no such room"),
        ("services/keys/domain/keyring.py", OPENING + "import logging\n", "the domain is pure"),
        ("services/keys/domain/keyring.py", OPENING + "now = datetime.now(UTC)\n", "the domain is pure"),
        ("services/keys/domain/keyring.py", OPENING + "async def f() -> None: ...\n", "the domain is pure"),
        ("stack/up.py", OPENING + "# TO" + "DO: later\n", "a promise left in the code"),
        ("tests/keys/test_x.py", OPENING + "@pytest.mark.ski" + "p\ndef test_x() -> None: ...\n", "a test that may not run"),
        ("tests/keys/test_x.py", OPENING + "x = Magic" + "Mock()\n", "a mock where a fake"),
        ("tests/keys/test_x.py", OPENING + "assert Tr" + "ue\n", "an assertion that cannot fail"),
        ("shared/wake.py", OPENING + "x = y  # type: ig" + "nore[arg-type]\n", "without code and reason"),
        ("shared/wake.py", OPENING + "x = y  # no" + "qa: S110\n", "without code and reason"),
    ],
)
def test_a_stray_is_named(path: str, text: str, said: str) -> None:
    assert [line for line in found(path, text) if said in line], found(path, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("services/keys/domain/keyring.py", '"""Decisions await nobody."""\n\n\ndef f() -> None:\n    """Never await here."""\n'),
        ("shared/wake.py", OPENING + "x = y  # type: ig" + "nore[arg-type]  # the driver's stub is wrong\n"),
        ("shared/wake.py", OPENING + "x = y  # no" + "qa: S110, S112 - a lost wake-up is only slower\n"),
        ("services/keys/domain/__init__.py", ""),
    ],
)
def test_what_is_in_order_is_let_through(path: str, text: str) -> None:
    assert found(path, text) == []


def test_a_service_and_shared_may_only_grow_so_far() -> None:
    half = OPENING + "\n" * 350
    service = [Source(Path(f"services/keys/api/r{number}.py"), half) for number in range(8)]
    shared = [Source(Path(f"shared/http/r{number}.py"), half) for number in range(21)]
    said = strays([*service, *shared])
    assert any("services/keys: 2808 lines in all, 2750 is the most" in line for line in said)
    assert any("shared: 7371 lines in all, 7150 is the most" in line for line in said)


def test_many_middling_files_and_functions_are_too_much_together() -> None:
    files = [
        Source(Path(f"stack/r{number}.py"), OPENING + "def f() -> None:\n" + "    x = 1\n" * 40 + "y = 1\n" * 80) for number in range(20)
    ]
    said = strays(files)
    assert any("the median is" in line for line in said)
    assert any("product functions: the 95th percentile is 41" in line for line in said)


def test_the_gate_reads_every_python_file_of_product_and_tests(tmp_path: Path) -> None:
    for name in ("services/keys/main.py", "tests/keys/test_x.py", "node_modules/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(OPENING, "utf-8")
    assert [str(source.path) for source in sources(tmp_path)] == ["services/keys/main.py", "tests/keys/test_x.py"]
