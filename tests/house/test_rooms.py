"""The gate of rooms sees what lies in the wrong one."""

from pathlib import Path

import pytest

from tests.house.rooms import missing_readmes, strays
from tests.house.sizes import Source

OPENING = '"""A sentence."""\n'
ROUTE = '@router.post("/apps")\nasync def register(body: Body) -> App:\n    """Register."""\n'


def found(path: str, text: str) -> list[str]:
    return strays([Source(Path(path), OPENING + text)])


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("services/keys/commands.py", 'await db.execute("DELETE FROM pairs")\n', "a command holds no SQL"),
        ("services/keys/commands.py", "from fastapi import Request\n", "a command knows no HTTP"),
        ("services/keys/queries/pairs.py", 'SQL = "UPDATE pairs SET status = $1"\n', "a query writes nothing"),
        ("services/keys/projections/pairs.py", "at = datetime.now(UTC)\n", "a projection reads no clock"),
        ("services/keys/publications.py", "state = await load(stream)\n", "a publication waits for nothing"),
        ("services/keys/reactions.py", 'SQL = "INSERT INTO pairs VALUES ($1)"\n', "a reaction gives commands"),
        ("services/keys/api/routes.py", 'SQL = "SELECT 1 FROM pairs"\n', "a route holds no SQL"),
        ("services/keys/domain/keyring.py", 'SQL = "SELECT 1 FROM pairs"\n', "the domain holds no SQL"),
        ("services/keys/wiring.py", 'SQL = "SELECT 1 FROM pairs"\n', "the wiring decides nothing"),
        ("services/keys/commands.py", "async with db.transaction():\n", "append, consumer and rebuild open the transactions"),
        ("services/keys/queries.py", "async with db.transaction():\n", "append, consumer and rebuild open the transactions"),
        ("services/keys/reactions.py", "async with db.transaction():\n", "append, consumer and rebuild open the transactions"),
        ("services/keys/projections/pairs.py", "import httpx2\n", "a projection calls nobody"),
        ("services/keys/queries.py", "x = 1\n" * 250, "beyond 250 a room becomes a folder"),
        ("services/keys/main.py", 'port = os.environ["PORT"]\n', "only the settings read the environment"),
        ("services/keys/api/routes.py", ROUTE + "    x = 1\n" * 11, "the route register has 11 lines"),
    ],
)
def test_what_lies_in_the_wrong_room_is_named(path: str, text: str, said: str) -> None:
    assert [line for line in found(path, text) if said in line]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("services/keys/queries/pairs.py", 'SQL = "SELECT pair_id FROM pairs"\n'),
        ("services/keys/api/routes.py", ROUTE + "    x = 1\n" * 10),
        ("services/keys/settings.py", "environ = os.environ\n"),
        ("shared/store/writer.py", 'SQL = "INSERT INTO es.events VALUES ($1)"\n'),
    ],
)
def test_what_is_in_its_room_is_let_through(path: str, text: str) -> None:
    assert found(path, text) == []


def test_a_part_without_a_readme_is_named(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/README.md").write_text("What it is.", "utf-8")
    said = missing_readmes(tmp_path)
    assert "shared: no README.md" not in said
    assert "services/keys: no README.md" in said
