"""What each room of a service must not hold (ARCHITECTURE.md), as far as a pattern can see it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.sizes import Source

ROUTE_MOST = 10
_SQL = re.compile(r"\b(SELECT\s.+\bFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b")
_WRITES = re.compile(r"\b(INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b")
_HTTP = re.compile(r"\b(fastapi|starlette)\b")
_CLOCK = re.compile(r"datetime\.now\(|utcnow\(|time\.time\(\)")
_AWAIT = re.compile(r"\bawait\b")
_TRANSACTION = re.compile(r"\.transaction\(")
_CALLS = re.compile(r"\b(httpx2|aiokafka|redis|smtplib|aiosmtplib)\b")

_NO_TRANSACTION = {_TRANSACTION: "append, consumer and rebuild open the transactions"}
MUST_NOT = {
    "domain": {_SQL: "the domain holds no SQL"},
    "commands": {_SQL: "a command holds no SQL", _HTTP: "a command knows no HTTP", **_NO_TRANSACTION},
    "queries": {_WRITES: "a query writes nothing", _HTTP: "a query knows no HTTP", **_NO_TRANSACTION},
    "projections": {_HTTP: "a projection knows no HTTP", _CLOCK: "a projection reads no clock", _CALLS: "a projection calls nobody"},
    "publications": {_SQL: "a publication loads nothing", _AWAIT: "a publication waits for nothing"},
    "reactions": {_SQL: "a reaction gives commands and writes nothing itself", **_NO_TRANSACTION},
    "api": {_SQL: "a route holds no SQL", **_NO_TRANSACTION},
    "wiring": {_SQL: "the wiring decides nothing and reads nothing", **_NO_TRANSACTION},
}
ROOM_MOST = 250
_VERBS = frozenset(("get", "post", "put", "patch", "delete"))
_READMES = (
    *("shared", "client", "portal", "stack", "tests"),
    *("services/identity", "services/registry", "services/keys", "services/metrics"),
)


def strays(files: list[Source]) -> list[str]:
    """Return one sentence for each thing that lies in the wrong room."""
    return [stray for file in files for stray in _of_one(file)]


def missing_readmes(root: Path) -> list[str]:
    """Return one sentence for each part of the project that does not say what it is."""
    return [f"{folder}: no README.md" for folder in _READMES if not (root / folder / "README.md").exists()]


def _of_one(file: Source) -> Iterator[str]:
    parts = file.path.parts
    if parts[0] != "services" or len(parts) < 3:
        return
    room = parts[2].removesuffix(".py")
    if file.lines > ROOM_MOST:
        yield f"{file.path}: {file.lines} lines; beyond {ROOM_MOST} a room becomes a folder, split by noun"
    for number, line in enumerate(file.text.splitlines(), 1):
        yield from (f"{file.path}:{number}: {why}" for pattern, why in MUST_NOT.get(room, {}).items() if pattern.search(line))
        if "os.environ" in line and room != "settings":
            yield f"{file.path}:{number}: only the settings read the environment"
    if room == "api":
        yield from (f"{file.path}: the route {name} has {size} lines; {ROUTE_MOST} is the most" for name, size in _long_routes(file))


def _long_routes(file: Source) -> Iterator[tuple[str, int]]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and any(map(_is_route, node.decorator_list)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            size = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if size > ROUTE_MOST:
                yield node.name, size


def _is_route(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute) and decorator.func.attr in _VERBS
