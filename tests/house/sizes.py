"""Sizes, and the lines that nobody may leave in the code."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median, quantiles

PRODUCT = ("shared", "services", "portal", "client", "stack", "deploy", "demo", "benchmarks", "examples")
FILE_MEDIAN, FILE_P95, FILE_STOP, TEST_FILE_STOP = 90, 250, 400, 500
FUNCTION_P95, FUNCTION_STOP = 30, 50
SERVICE_MOST, SHARED_MOST = 2750, 7150  # docs/decisions/0013 to 0015, 0019 and 0021 to 0023 say why
ROOMS = frozenset(
    [
        *("domain", "commands", "queries", "projections", "publications", "reactions", "api", "migrations"),
        *("settings", "wiring", "main", "worker", "ops", "mail", "timers", "__init__"),
    ]
)
DRAWERS = re.compile(r"^(service|utils?|helpers?|common|base|managers?|misc)\.py$")
# One letter of each word stands in brackets, so that this file keeps its own laws.
FORBIDDEN = {
    re.compile(r"#.*\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b"): "a promise left in the code",
    re.compile(r"pytest\.(mark\.)?(ski[p]|xfai[l])|unittest\.ski[p]|importorski[p]"): "a test that may not run",
    re.compile(r"mock\.patc[h]|mocker\.patc[h]|MagicMoc[k]|AsyncMoc[k]"): "a mock where a fake or the real part belongs",
    re.compile(r"#\s*type:\s*ignor[e](?!\[[a-z, -]+\]\s+# ?\S)"): "an ignored type error without code and reason",
    re.compile(r"#\s*noq[a](?!: [A-Z0-9]+(, ?[A-Z0-9]+)*\s+\S)"): "an ignored lint without code and reason",
    re.compile(r"BaseHTTPMiddlewar[e]"): "it leaks on disconnect; write plain ASGI",
    re.compile(r"\bassert Tru[e]\b"): "an assertion that cannot fail",
}
IMPURE = re.compile(r"\bawait\b|\basync\b|datetime\.now|utcnow|uuid4|time\.time\(|\brandom\.|\bsecrets\.|\blogging\b|\bnew_id\(")


@dataclass(frozen=True)
class Source:
    """One Python file of the project."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def is_test(self) -> bool:
        return self.path.parts[0] == "tests"

    @property
    def home(self) -> str:
        """What it counts for: `services/keys`, `shared`, …"""
        return "/".join(self.path.parts[: 2 if self.path.parts[0] == "services" else 1])

    def functions(self) -> Iterator[tuple[str, int]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{self.path}:{node.lineno}: {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def sources(root: Path) -> list[Source]:
    """Return the Python files of the product and its tests."""
    files = (file for top in (*PRODUCT, "tests") for file in sorted((root / top).rglob("*.py")) if "__pycache__" not in file.parts)
    return [Source(file.relative_to(root), file.read_text("utf-8")) for file in files]


def strays(files: list[Source]) -> list[str]:
    """Return one sentence for each place where these files leave the house's laws."""
    product = [file for file in files if not file.is_test]
    return [
        *(stray for file in files for stray in _of_one(file)),
        *_spread("product files", [file.lines for file in product if file.lines > 1], FILE_MEDIAN, FILE_P95),
        *_spread("product functions", [size for file in product for _, size in file.functions()], None, FUNCTION_P95),
        *_totals(product),
    ]


def _of_one(file: Source) -> Iterator[str]:
    stop = TEST_FILE_STOP if file.is_test else FILE_STOP
    if file.lines > stop:
        yield f"{file.path}: {file.lines} lines; {stop} is the stop"
    if DRAWERS.match(file.path.name):
        yield f"{file.path}: a drawer, not a room"
    if file.text.strip() and not ast.get_docstring(file.tree):
        yield f"{file.path}: no opening sentence"
    for number, line in enumerate(file.text.splitlines(), 1):
        yield from (f"{file.path}:{number}: {why}" for pattern, why in FORBIDDEN.items() if pattern.search(line))
    if not file.is_test:
        yield from (f"{name} has {size} lines; {FUNCTION_STOP} is the stop" for name, size in file.functions() if size > FUNCTION_STOP)
        yield from _of_a_service(file)


def _of_a_service(file: Source) -> Iterator[str]:
    parts = file.path.parts
    if parts[0] != "services" or len(parts) < 3:
        return
    room = parts[2].removesuffix(".py")
    if room not in ROOMS:
        yield f"{file.path}: no such room"
    if room == "domain":
        code = ((number, line) for number, line in enumerate(_without_strings(file), 1) if IMPURE.search(line))
        yield from (f"{file.path}:{number}: the domain is pure, this is not: {line.strip()}" for number, line in code)


def _without_strings(file: Source) -> list[str]:
    """Return the lines with docstrings and comments blanked: a sentence may say `await`."""
    lines = file.text.splitlines()
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = ""
    return [line.partition("#")[0] for line in lines]


def _spread(what: str, sizes: list[int], middle: int | None, high: int) -> Iterator[str]:
    if len(sizes) < 20:
        return
    if middle is not None and median(sizes) > middle:
        yield f"{what}: the median is {median(sizes):.0f} lines, {middle} is the most"
    if (p95 := quantiles(sizes, n=20)[-1]) > high:
        yield f"{what}: the 95th percentile is {p95:.0f} lines, {high} is the most"


def _totals(product: Iterable[Source]) -> Iterator[str]:
    totals: dict[str, int] = {}
    for file in product:
        totals[file.home] = totals.get(file.home, 0) + file.lines
    for home, total in totals.items():
        most = SHARED_MOST if home == "shared" else SERVICE_MOST if home.startswith("services/") else None
        if most is not None and total > most:
            yield f"{home}: {total} lines in all, {most} is the most; beyond that, a decision page says why"
