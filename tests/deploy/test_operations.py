"""What docs/operations.md says to do when something is wrong, command by command, on a deployment where nothing is."""

import re
import shlex

import pytest

from stack.layout import ROOT
from tests.deploy.deployment import Deployment
from tests.faults.ledger import Ledger

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]
PAGE = (ROOT / "docs/operations.md").read_text("utf-8")
COMMANDS = re.findall(r"`docker compose ([^`]+)`", PAGE.partition("\n## When something is wrong\n")[2])


def test_every_command_of_the_page_does_its_work(deployment: Deployment, ledger: Ledger) -> None:
    assert ledger.app_id  # there is something to look at
    assert len(COMMANDS) > 10
    done = {command: deployment.compose(*shlex.split(command), check=False) for command in dict.fromkeys(COMMANDS)}
    assert {command: each.stdout + each.stderr for command, each in done.items() if each.returncode} == {}
