"""Operators' commands: what they do, what they say, and the status they exit with."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest
from latchkey.consumer import Place

from shared.ops.kit import Command, Failed, Toolbox, run_ops, say
from shared.store.aggregates import Aggregates
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.contract.conftest import opened
from tests.shared.toy import JAR, Filling, Jar, JarEvent, NoteWritten, context
from tests.shared.toyops import toolbox

pytestmark = pytest.mark.stack


class Operator:
    """Somebody at a terminal."""

    def __init__(self, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
        self.database, self._capsys = database, capsys

    def does(self, *arguments: str, own: tuple[Command, ...] = ()) -> tuple[int, str]:
        """Run a command; the exit status and everything it printed."""
        status = run_ops("toy", lambda: toolbox(self.database.app, self.database.owner), own, arguments)
        printed = self._capsys.readouterr()
        return status, printed.out + printed.err


@pytest.fixture
def operator(fresh_database: Callable[[str], Database], capsys: pytest.CaptureFixture[str]) -> Operator:
    """An operator of a migrated, filled toy service."""
    made = Operator(fresh_database("toy"), capsys)
    status, printed = made.does("migrate")
    assert (status, "made jars version 1" in printed) == (0, True)
    run(fill(made.database))
    return made


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


async def fill(database: Database) -> None:
    async with opened(database) as store:
        jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
        await jars.decide("jar_1", Filling(3), context())
        await jars.decide("jar_1", lambda _: [NoteWritten("for Ada")], context())


async def execute(url: str, statement: str, *parameters: object) -> None:
    db = await asyncpg.connect(url)
    try:
        await db.execute(statement, *parameters)
    finally:
        await db.close()


def test_help_needs_no_settings(capsys: pytest.CaptureFixture[str]) -> None:
    def build() -> Toolbox:
        raise AssertionError

    with pytest.raises(SystemExit) as ended:
        run_ops("toy", build, argv=["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for word in ("migrate", "relay", "parked", "rebuild", "events", "verify-chain"):
        assert word in printed


def test_a_command_that_makes_no_sense_exits_with_2(operator: Operator) -> None:
    for arguments in (("relay",), ("relay", "rewind"), ("parked", "retry", "apps", "nowhere"), ("no-such",)):
        with pytest.raises(SystemExit) as ended:
            operator.does(*arguments)
        assert ended.value.code == 2


def test_migrating_twice_says_that_there_is_nothing_to_do(operator: Operator) -> None:
    assert operator.does("migrate") == (0, "The database is at the present schema.\n")


def test_commands_for_the_owner_say_so_where_the_owner_is_unknown(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    status = run_ops("toy", lambda: toolbox(operator.database.app, None), argv=["rebuild", "jars"])
    assert status == 1
    assert "TOY_OWNER_DATABASE_URL" in capsys.readouterr().err


def test_an_unreachable_database_exits_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = "postgres://nobody:secret@127.0.0.1:1/toy"
    assert run_ops("toy", lambda: toolbox(nowhere, nowhere), argv=["relay", "status"]) == 3
    printed = capsys.readouterr().err
    assert "cannot be reached" in printed
    assert "secret" not in printed


def test_relay_status_and_rewind(operator: Operator) -> None:
    assert operator.does("relay", "status") == (1, "No relay has run on this database yet.\n")
    assert operator.does("relay", "rewind", "--to", "99")[0] == 1
    status, printed = operator.does("relay", "rewind", "--to", "0")
    assert (status, "above 0" in printed) == (0, True)
    status, printed = operator.does("relay", "status")
    assert (status, "1 events wait" in printed) == (0, True)


def test_a_stream_is_shown_with_personal_fields_sealed_unless_asked(operator: Operator) -> None:
    status, printed = operator.does("events", "show", "jar_1")
    assert status == 0
    assert "1  toy.Filled (schema 1, public registry.AppDisabled.v1 1)" in printed
    assert '{"note": "[sealed for jar_1]"}' in printed
    assert "Ada" not in printed
    assert '{"note":"for Ada"}' in operator.does("events", "show", "jar_1", "--reveal")[1]
    assert operator.does("events", "show", "jar_none") == (1, "There is no stream jar_none.\n")


def test_an_untouched_log_verifies_and_a_changed_one_names_the_place(operator: Operator, stack: RealStack) -> None:
    assert operator.does("verify-chain") == (0, "2 events of 1 streams are as they were written.\n")
    assert operator.does("verify-chain", "jar_1")[0] == 0
    database = stack.superuser_dsn.rpartition("/")[0] + f"/{operator.database.name}"
    for statement in ("ALTER TABLE es.events DISABLE TRIGGER ALL", "UPDATE es.events SET data = '{\"amount\": 4}' WHERE version = 1"):
        run(execute(database, statement))
    status, printed = operator.does("verify-chain")
    assert status == 1
    assert "jar_1 version 1 at position 1 is not what was written" in printed
    run(execute(database, "DELETE FROM es.events WHERE version = 1"))
    assert "jar_1: version 1 is missing" in operator.does("verify-chain")[1]


def test_rebuilding_from_the_command_line(operator: Operator) -> None:
    status, printed = operator.does("rebuild", "jars", "--verify")
    assert status == 0
    assert "made version 2, up to position 2" in printed
    assert "equal to the version before" in printed
    assert "Dropped jars_v1." in printed  # nobody blanks in it what is erased from now on
    assert "Dropped" not in operator.does("rebuild", "jars", "--keep-old")[1]
    assert operator.does("rebuild", "jars", "--drop-old") == (0, "Dropped jars_v2.\n")
    assert operator.does("rebuild", "jams") == (1, "There is no view jams; there are jars.\n")
    run(execute(operator.database.owner, "UPDATE jars_v3 SET count = 77"))
    status, printed = operator.does("rebuild", "jars", "--verify")
    assert status == 1
    assert "(jar_1,,77," in printed
    assert "was not switched" in printed


def test_parked_records_are_listed_tried_again_and_given_up(operator: Operator) -> None:
    assert operator.does("parked", "list") == (0, "Nothing is parked.\n")
    insert = (
        'INSERT INTO latchkey.parked (projection, version, source, topic_epoch, partition, "offset", stream_id, stream_version, raw, '
        "digest, reason, error) VALUES ('apps', 1, 'registry.app.events.v1', 0, 3, $1, 'app_1', $2, 'x', 'y', 'failed', 'no such owner')"
    )
    for version in (1, 2):
        run(execute(operator.database.app, insert, 40 + version, version))
    status, printed = operator.does("parked", "list")
    assert (status, len(printed.splitlines())) == (0, 2)
    assert "apps  registry.app.events.v1:0:3:41  app_1 version 1  failed" in printed
    assert operator.does("parked", "retry", "apps", "registry.app.events.v1:0:3:41")[0] == 0
    assert operator.does("parked", "discard", "apps", "registry.app.events.v1:0:3:41")[0] == 0
    status, printed = operator.does("parked", "discard", "apps", "registry.app.events.v1:0:3:41")
    assert (status, "nothing lies at" in printed) == (1, True)
    assert Place(0, 3, 42)[2] == int(operator.does("parked", "list")[1].split()[1].rpartition(":")[2])


def test_a_service_adds_its_own_commands(operator: Operator) -> None:
    async def add(tools: Toolbox, arguments: Any) -> None:
        if arguments.name == "taken":
            raise Failed("This name is taken.")
        say(json.dumps({"service": tools.service, "added": arguments.name}))

    own = (Command("service-client add", "Add a client.", add, lambda parser: parser.add_argument("name")),)
    assert operator.does("service-client", "add", "till", own=own) == (0, '{"service": "toy", "added": "till"}\n')
    assert operator.does("service-client", "add", "taken", own=own) == (1, "This name is taken.\n")


def test_a_fault_of_ours_is_not_called_a_refusal(operator: Operator) -> None:
    async def stumble(_tools: Toolbox, _arguments: Any) -> None:
        raise ValueError("for nobody's eyes")

    with pytest.raises(ValueError, match="for nobody's eyes"):
        operator.does("stumble", own=(Command("stumble", "Fail.", stumble),))


def test_migrating_as_anybody_but_the_owner_is_refused(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    app = operator.database.app
    assert run_ops("toy", lambda: toolbox(app, app), (), ["migrate"]) == 1
    assert "Migrations run as a role named <service>_owner, not " in capsys.readouterr().err
