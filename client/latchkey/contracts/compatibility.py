"""What may change in a frozen schema: optional fields may come, known values may come, and nothing else may change. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_WORDS: Final = frozenset({"title", "description", "examples", "$id", "$schema", "$defs"})
"""What a person reads: free to change, or resolved elsewhere."""


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every way in which `new` breaks who reads or wrote by `old`, as sentences that name the place; empty when there is none."""
    return list(_compare(_resolved(old, old), _resolved(new, new), "data"))


def _compare(old: Any, new: Any, place: str) -> Iterator[str]:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if old != new:
            yield f"{place}: {old!r} became {new!r}"
        return
    handled = {"properties", "required", "x-known-values"}
    yield from _fields(old, new, place)
    gone = set(old.get("x-known-values", ())) - set(new.get("x-known-values", ()))
    if gone:
        yield f"{place}: known values {sorted(gone)} were removed"
    # Any other keyword says what a value may be: type, format, enum, const, pattern, limits, items, anyOf, default, and
    # whatever comes with the next draft. None of them may come, go or change.
    for keyword in sorted((set(old) | set(new)) - handled - _WORDS):
        if keyword not in old or keyword not in new:
            yield f"{place}: {keyword} was {'added' if keyword in new else 'removed'}"
        else:
            yield from _values(old[keyword], new[keyword], f"{place}.{keyword}")


def _values(old: Any, new: Any, place: str) -> Iterator[str]:
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _compare(before, after, f"{place}[{index}]")
    else:
        yield from _compare(old, new, place)


def _fields(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    must_before, must_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in before:
        if name not in after:
            yield f"{place}.{name}: the field was removed"
            continue
        if (name in must_before) != (name in must_after):
            yield f"{place}.{name}: was {'required' if name in must_before else 'optional'} and is no longer"
        yield from _compare(before[name], after[name], f"{place}.{name}")
    for name in sorted((set(after) - set(before)) & must_after):
        yield f"{place}.{name}: a new field must be optional"


def _resolved(node: Any, root: Schema) -> Any:
    """The same schema with every reference into its own `$defs` replaced by what it refers to."""
    if isinstance(node, Mapping):
        reference = node.get("$ref")
        if isinstance(reference, str):
            target: Any = root
            for step in reference.removeprefix("#/").split("/"):
                target = target[step]
            rest = {keyword: value for keyword, value in node.items() if keyword != "$ref"}
            return _resolved({**target, **rest}, root)
        return {keyword: _resolved(value, root) for keyword, value in node.items() if keyword != "$defs"}
    if isinstance(node, list):
        return [_resolved(value, root) for value in node]
    return node
