"""What README says under "Deploy", command by command, in a clone of its own; and nothing is left in the end."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from stack.layout import ROOT
from stack.ports import free_ports
from tests.deploy.deployment import Deployment, left_behind

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


def commands() -> list[str]:
    """The lines of the code blocks of the section."""
    section = (ROOT / "README.md").read_text("utf-8").partition("\n## Deploy\n")[2].partition("\n## ")[0]
    return [line for block in re.findall(r"```\n(.*?)```", section, re.DOTALL) for line in block.splitlines() if line]


def test_every_command_of_the_readme_works_in_a_clean_clone(deployment: Deployment, tmp_path: Path) -> None:
    deployment.compose("stop", "-t", "1")  # this machine need not carry two
    clone, port = tmp_path / "latchkey", free_ports(1)[0]
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    told = {**os.environ, "COMPOSE_PROJECT_NAME": f"{deployment.project}-readme", "LATCHKEY_PORT": str(port)}
    lines = commands()
    assert len(lines) > 5
    try:
        said = _carried_out(lines, clone, port, told)
        assert re.search(r"Your code is \d{6}", said)
        assert "The secret is shown this once." in said
        assert "The password is shown this once." in said
    finally:
        subprocess.run(["docker", "compose", "--profile", "*", "down", "-v"], check=False, capture_output=True, cwd=clone, env=told)
        deployment.up()
    assert left_behind(told["COMPOSE_PROJECT_NAME"]) == []


def _carried_out(lines: list[str], clone: Path, port: int, told: Mapping[str, str]) -> str:
    """Run the lines one after the other; the last one must already leave nothing, whatever the test clears away after it."""
    said = ""
    for line in lines:
        command = line.partition("  #")[0].replace("8080", str(port))
        done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, cwd=clone, env=told)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said += done.stdout
    assert left_behind(told["COMPOSE_PROJECT_NAME"]) == []
    return said
