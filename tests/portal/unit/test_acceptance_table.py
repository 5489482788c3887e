"""The table of the portal's README is true: every line of the guide is there, and every test that it names."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_acceptance_line_names_a_test_that_exists() -> None:
    table = (ROOT / "portal/README.md").read_text("utf-8")
    named = re.findall(r"^\| (?:S\d\d)? *\| `(test_\w+)` \| `(test_\w+\.py)` \|$", table, re.MULTILINE)
    missing = [name for name, file in named if f"def {name}(" not in (ROOT / "tests/portal" / file).read_text("utf-8")]
    assert missing == []
    assert re.findall(r"^\| S(\d\d) \|", table, re.MULTILINE) == [f"{line:02}" for line in range(1, 54)]
