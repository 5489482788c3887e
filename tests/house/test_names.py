"""The gate of names sees what is called wrongly, what says nothing, and pages that promise."""

from pathlib import Path

import pytest

from tests.house.names import burdens, prophecies, strays
from tests.house.sizes import Source

ROOT = Path(__file__).resolve().parents[2]
QUERIES = "class Pairs:\n    async def {}(self) -> {}:\n        ...\n"


def found(path: str, text: str) -> list[str]:
    return strays([Source(Path(path), text)])


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("services/keys/queries.py", QUERIES.format("pairs", "Page"), "a query is get_, find_ or list_, not pairs"),
        ("services/keys/reactions.py", "class R:\n    async def disable(self) -> None: ...\n", "a reaction is on_…, not disable"),
        ("services/keys/domain/events.py", "class KeyUpdated: ...\n", "KeyUpdated does not say what happened"),
        ("client/latchkey/events/keys.py", "class KeyUpdated: ...\n", "KeyUpdated does not say what happened"),
        ("services/keys/domain/errors.py", 'class Gone:\n    code = "pairGone"\n', "'pairGone' is not <part>.<what_went_wrong>"),
        ("services/keys/wiring.py", "told: Settings = Settings()\n", "settings are made by whoever starts"),
        ("services/keys/wiring.py", "TOLD = settings.KeysSettings()\n", "settings are made by whoever starts"),
        ("shared/wake.py", "def wake() -> None: ...\n", "wake does not say what it guarantees"),
        ("client/latchkey/verifier.py", 'class Verifier:\n    """It."""\n\n    def ask(self) -> None: ...\n', "Verifier.ask does not say"),
    ],
)
def test_what_breaks_a_custom_is_named(path: str, text: str, said: str) -> None:
    assert [line for line in found(path, text) if said in line]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("services/keys/queries.py", QUERIES.format("list_pairs", "Page")),
        ("services/keys/queries.py", QUERIES.format("permits", "bool")),
        ("services/keys/reactions.py", "class R:\n    async def on_app_disabled(self) -> None: ...\n"),
        ("services/keys/domain/events.py", "class KeyRotated: ...\n"),
        ("services/keys/domain/errors.py", 'class PairGone:\n    code = "keys.pair_gone"\n    title = "It is gone."\n'),
        ("services/keys/main.py", "def main() -> None:\n    told = Settings()\n"),
        ("shared/errors.py", 'class Gone(Refusal):\n    title = "It is gone."\n'),
        ("shared/wake.py", "def _wake() -> None: ...\n"),
    ],
)
def test_what_keeps_the_customs_is_let_through(path: str, text: str) -> None:
    assert found(path, text) == []


def test_a_page_that_promises_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("It works.\nIt will be fast.\n", "utf-8")
    assert prophecies(tmp_path) == ["README.md:2: pages speak in the present tense"]


def test_a_client_that_brings_more_than_it_may_is_named(tmp_path: Path) -> None:
    (tmp_path / "client").mkdir()
    (tmp_path / "client/pyproject.toml").write_text('[project]\ndependencies = ["pydantic>=2", "aiokafka[lz4]", "fastapi"]\n', "utf-8")
    assert burdens(tmp_path) == ["client/pyproject.toml: the client brings fastapi"]
    assert burdens(ROOT) == []
