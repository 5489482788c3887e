"""Each import contract can fail: a violation written into a copy of the project breaks it, and the project itself keeps all."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]

VIOLATIONS = [
    ("independence", "services/keys/commands", "import services.registry.domain"),
    ("independence", "services/metrics/domain", "import services.keys"),
    ("direction", "shared/errors", "import services.keys.domain"),
    ("direction", "client/latchkey/keyformat", "import shared.errors"),
    ("direction", "client/latchkey/base62", "import services.keys.domain"),
    ("rooms", "services/keys/domain/made_up", "import services.keys.queries"),
    ("rooms", "services/keys/queries", "import services.keys.api"),
    ("rooms", "services/keys/wiring", "import services.keys.main"),
    ("rooms", "services/keys/helpers_room", "import json"),
    ("purity", "services/keys/domain/made_up", "import asyncpg"),
    ("purity", "services/metrics/domain/made_up", "import pydantic"),
    ("purity", "services/identity/domain/made_up", "import fastapi"),
    ("purity", "services/registry/domain/made_up", "import shared.store"),
    ("independence", "services/keys/commands", "import portal.session"),
    ("independence", "portal/session", "import services.keys.domain"),
    ("direction", "shared/errors", "import portal.session"),
    ("portal", "portal/apis/identity", "import portal.session"),
    ("portal", "portal/helpers_room", "import json"),
    ("no-store", "portal/session", "import shared.store.contract"),
    ("settings", "portal/session", "import portal.settings"),
    ("settings", "services/keys/queries", "import services.keys.settings"),
    ("settings", "services/identity/domain/made_up", "import services.identity.settings"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = tmp_path_factory.mktemp("copy")
    for name in ("shared", "services", "portal", "client"):
        shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copied)
    return copied


def lint(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=project,
        env={**os.environ, "PYTHONPATH": f"{project}:{project / 'client'}", "COLUMNS": "200"},
    )


@contextmanager
def written(project: Path, module: str, line: str) -> Iterator[None]:
    """Put the line at the end of a module, or of a package's `__init__`, or into a new module, and take it back."""
    file = project / module / "__init__.py" if (project / module).is_dir() else project / f"{module}.py"
    before = file.read_text("utf-8") if file.exists() else None
    file.write_text(f"{before or ''}\n{line}\n", "utf-8")
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, "utf-8")


def test_the_project_keeps_every_contract(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout
    assert "7 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(("contract", "module", "line"), VIOLATIONS)
def test_a_violation_breaks_its_contract(copy: Path, contract: str, module: str, line: str) -> None:
    with written(copy, module, line):
        result = lint(copy, "--contract", contract)
    assert result.returncode == 1, result.stdout
    assert "0 kept, 1 broken" in result.stdout
