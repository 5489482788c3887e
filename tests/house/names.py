"""What is called how, who says what it guarantees, and in which tense the pages speak (ARCHITECTURE.md), as far as a program can see it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.house.sizes import Source

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_QUERY = re.compile(r"^(get|find|list|stream)_")
_VAGUE = re.compile(r"Updated$")
_CODE = re.compile(r"^([a-z]+\.[a-z][a-z0-9_]*|[A-Z][A-Z_]+)$")  # the second is a verdict on a key
_FUTURE = re.compile(r"\b(will|shall|going to)\b", re.IGNORECASE)
_CLIENT_NEEDS = {"pydantic", "aiokafka", "asyncpg"}


def strays(files: list[Source]) -> list[str]:
    """Return one sentence for each name that breaks the house's customs and each public name without its sentence."""
    return [stray for file in files if not file.is_test for stray in _of_one(file)]


def prophecies(root: Path) -> list[str]:
    """Return one sentence for each line of a page that promises instead of saying what is."""
    return [
        f"{page.relative_to(root)}:{number}: pages speak in the present tense"
        for page in sorted(root.rglob("*.md"))
        if not any(part.startswith(".") or part == "node_modules" for part in page.relative_to(root).parts)
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1)
        if _FUTURE.search(line)
    ]


def burdens(root: Path) -> list[str]:
    """Return one sentence when a stranger who installs the client gets more than it may bring."""
    needs = tomllib.loads((root / "client/pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[<>=!~ \[]", need, maxsplit=1)[0] for need in needs}
    return [f"client/pyproject.toml: the client brings {name}" for name in sorted(names - _CLIENT_NEEDS)]


def _of_one(file: Source) -> Iterator[str]:
    parts = file.path.parts
    if parts[0] in {"shared", "client"}:
        yield from (f"{file.path}:{line}: {name} does not say what it guarantees" for line, name in _silent(file.tree))
    if parts[0] == "services" and len(parts) > 2:
        yield from _of_a_service(file, parts[2].removesuffix(".py"))
    if parts[:2] == ("client", "latchkey") and parts[2] == "events":
        yield from _events(file)


def _of_a_service(file: Source, room: str) -> Iterator[str]:
    if room == "queries":
        yield from (f"{file.path}:{line}: a query is get_, find_ or list_, not {name}" for line, name in _queries(file.tree))
    if room == "reactions":
        yield from (f"{file.path}:{line}: a reaction is on_…, not {name}" for line, name in _reactions(file.tree))
    if room == "domain" and file.path.stem == "events":
        yield from _events(file)
    for node in file.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call) and _called(node.value).endswith("Settings"):
            yield f"{file.path}:{node.lineno}: settings are made by whoever starts, not by an import"
    yield from (
        f"{file.path}:{line}: {code!r} is not <part>.<what_went_wrong>" for line, code in _codes(file.tree) if not _CODE.match(code)
    )


def _events(file: Source) -> Iterator[str]:
    for node in file.tree.body:
        if isinstance(node, ast.ClassDef) and _VAGUE.search(node.name):
            yield f"{file.path}:{node.lineno}: {node.name} does not say what happened"


def _silent(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Public names without a docstring. A refusal says it in its title; a protocol's property in the protocol's own sentence."""
    for node in tree.body:
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _has_title(node):
            yield node.lineno, node.name
        for inner in node.body if isinstance(node, ast.ClassDef) else []:
            if (
                isinstance(inner, _FUNCTIONS)
                and not inner.name.startswith("_")
                and not ast.get_docstring(inner)
                and not _is_property(inner)
            ):
                yield inner.lineno, f"{node.name}.{inner.name}"


def _has_title(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Assign) and _target(inner) == "title" for inner in ast.iter_child_nodes(node))


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list)


def _queries(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Public methods that read rows under another name; one that answers yes or no, or nothing at all, is called for its question."""
    for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for node in owner.body:
            if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_") and not _QUERY.match(node.name):
                answer = ast.unparse(node.returns) if node.returns else ""
                if answer not in {"bool", "None"}:
                    yield node.lineno, node.name


def _reactions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for node in owner.body:
            if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith(("_", "on_")):
                yield node.lineno, node.name


def _codes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for node in owner.body:
            if isinstance(node, ast.Assign) and _target(node) == "code" and isinstance(node.value, ast.Constant):
                yield node.lineno, str(node.value.value)


def _target(node: ast.Assign) -> str:
    return node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
