"""Print one package of uv.lock as a requirement with its hashes, so that uv itself is installed as locked: `pin.py uv uv.lock`."""

import sys
import tomllib
from pathlib import Path

name, lock = sys.argv[1:]
(package,) = (each for each in tomllib.loads(Path(lock).read_text("utf-8"))["package"] if each["name"] == name)
hashes = [file["hash"] for file in [package["sdist"], *package["wheels"]]]
print(f"{name}=={package['version']} " + " ".join(f"--hash={each}" for each in hashes))
