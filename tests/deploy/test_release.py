"""A release: the same bytes each time, under the version that was named, and a bill of materials that tells what an image holds."""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.layout import ROOT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]
VERSION = "9.8.7"
_INSTALLED = """
import importlib.metadata, re
for found in importlib.metadata.distributions():
    print(re.sub("[-_.]+", "-", found.name).lower(), found.version)
"""


def released() -> tuple[Path, dict[str, str]]:
    """Make one, of everything but images; where it is, and the digests of its files."""
    told = {**os.environ, "DOCKER_HOST": "unix:///nowhere"}
    command = ["bash", "deploy/release/release.sh", VERSION]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=told, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = ROOT / "dist" / VERSION
    files = [file for file in folder.rglob("*") if file.is_file()]
    return folder, {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def release() -> Iterator[tuple[Path, dict[str, str]]]:
    """Made once, gone afterwards."""
    made = released()
    yield made
    shutil.rmtree(made[0])


def test_a_second_one_is_the_same_byte_for_byte(release: tuple[Path, dict[str, str]]) -> None:
    wheels = [name for name in release[1] if name.endswith(".whl")]
    assert len(wheels) == 7
    assert all(f"-{VERSION}-" in wheel for wheel in wheels)
    assert released()[1] == release[1]


def test_without_a_tag_or_a_version_there_is_none() -> None:
    done = subprocess.run(["bash", "deploy/release/release.sh", "soon"], check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, "no tag like v1.2.3" in done.stderr) == (1, True)


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize("image", ["identity", "registry", "keys", "metrics", "portal", "deploy"])
def test_the_bill_of_materials_is_what_the_image_holds(release: tuple[Path, dict[str, str]], image: str) -> None:
    bill = json.loads((release[0] / f"sbom/{image}.cdx.json").read_text("utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", VERSION)
    told = {f"{part['name']} {part['version']}" for part in bill["components"] if not part["name"].startswith("latchkey")}
    command = [
        "docker",
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "/venv/bin/python",
        f"latchkey/{image}:local",
        "-c",
        _INSTALLED,
    ]
    held = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())
    own = {part for part in held if part.split()[0] in {"pip", "setuptools", "uv"}}
    assert held - own <= told
    assert len(told - held) <= 4, told - held  # of another platform or Python
    assert len(told) > 10


@pytest.mark.long
def test_two_builds_of_an_image_hold_the_same_files() -> None:
    """Nothing is taken from a former build; time stamps are the only thing that differs."""
    assert _built_anew() == _built_anew()


def _built_anew() -> dict[str, tuple[str, int, int, str]]:
    told = {**os.environ, "LATCHKEY_VERSION": "twice"}
    build = ["docker", "buildx", "bake", "--no-cache", "-f", "docker-compose.yml", "identity-ops"]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT, env=told)
    made = subprocess.run(["docker", "create", "latchkey/identity:twice"], check=True, capture_output=True, text=True).stdout.strip()
    try:
        exporting = ["docker", "export", made]
        with (
            subprocess.Popen(exporting, stdout=subprocess.PIPE) as exported,
            tarfile.open(fileobj=exported.stdout, mode="r|") as archive,
        ):
            found = {member.name: _known(archive, member) for member in archive if member.name.startswith(("app", "venv"))}
    finally:
        subprocess.run(["docker", "rm", made], check=True, capture_output=True)
        subprocess.run(["docker", "rmi", "latchkey/identity:twice"], check=True, capture_output=True)
    assert len(found) > 1_000
    return found


def _known(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, int, int, str]:
    """What a file is, but for its time."""
    content = archive.extractfile(member) if member.isreg() else None
    return hashlib.sha256(content.read() if content else b"").hexdigest(), member.mode, member.uid, member.linkname
