"""The frozen contract: files and code agree, examples are what the schemas say, and no change that breaks a reader gets through."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from latchkey.contracts.__main__ import main
from latchkey.contracts.compatibility import breaks
from latchkey.contracts.documents import contract, envelope_schema, event_schema
from latchkey.contracts.gate import different, write
from latchkey.envelope import decode
from latchkey.events import EVENTS, PublicEvent

pytestmark = pytest.mark.slow  # it writes files

FOLDER = Path(__file__).parents[3] / "contracts"
FILES = contract()
Change = Callable[[dict[str, Any]], Any]


def test_the_folder_is_what_the_code_says() -> None:
    assert main(["--check", "--folder", str(FOLDER)]) == 0


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_example_is_an_envelope_that_its_schema_allows(event: type[PublicEvent]) -> None:
    raw = FILES[f"examples/{event.event_type}.json"]
    document = json.loads(raw)
    assert jsonschema_rs.is_valid(envelope_schema(), document)
    assert jsonschema_rs.is_valid(event_schema(event), document["data"])
    read = decode(raw.encode())
    assert isinstance(read.data, event)
    assert read.data.model_fields_set == set(event.model_fields)


def test_every_reference_in_asyncapi_leads_somewhere() -> None:
    document = json.loads(FILES["asyncapi.json"])

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                assert found(reference) is not None, reference
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    def found(reference: str) -> Any:
        if not reference.startswith("#/"):
            return FILES.get(reference)
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        return target

    walk(document)
    assert {message for channel in document["channels"].values() for message in channel["messages"]} == {*EVENTS, "state"}


OLD = {
    "type": "object",
    "title": "e.v1",
    "properties": {
        "app_id": {"type": "string", "title": "App Id"},
        "status": {"type": "string", "x-known-values": ["active", "disabled"]},
        "kind": {"enum": ["pk", "sk"]},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "default": None},
        "inner": {"$ref": "#/$defs/Inner"},
        "names": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["app_id", "status"],
    "$defs": {"Inner": {"type": "object", "properties": {"x": {"const": 1}}, "required": ["x"]}},
}


def changed(change: Change) -> dict[str, Any]:
    schema = copy.deepcopy(OLD)
    change(schema)
    return schema


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["properties"].update(extra={"type": "string"}),
        lambda s: s["properties"]["app_id"].update(title="Other", description="words", examples=["app_1"]),
        lambda s: s["properties"]["status"]["x-known-values"].append("archived"),
        lambda s: s["$defs"]["Inner"]["properties"].update(y={"type": "integer"}),
        lambda s: s["properties"].update(inner=s.pop("$defs")["Inner"]),
    ],
    ids=["optional field", "words", "known value", "optional field inside", "reference written out"],
)
def test_what_may_change(change: Change) -> None:
    assert breaks(OLD, changed(change)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s["properties"].pop("names"), "data.names: the field was removed"),
        (lambda s: s["properties"]["app_id"].update(type="integer"), "data.app_id.type: 'string' became 'integer'"),
        (lambda s: s["required"].append("kind"), "data.kind: was optional"),
        (lambda s: s["required"].remove("status"), "data.status: was required"),
        (lambda s: (s["properties"].update(new={}), s["required"].append("new")), "data.new: a new field must be optional"),
        (lambda s: s["properties"]["kind"]["enum"].append("rk"), "data.kind.enum"),
        (lambda s: s["properties"]["kind"]["enum"].pop(), "data.kind.enum"),
        (lambda s: s["properties"]["status"]["x-known-values"].remove("disabled"), "known values ['disabled'] were removed"),
        (lambda s: s["properties"]["status"].update(enum=["active", "disabled"]), "data.status: enum was added"),
        (lambda s: s["properties"]["at"]["anyOf"][0].update(format="date"), "data.at.anyOf[0].format: 'date-time' became 'date'"),
        (lambda s: s["properties"]["at"]["anyOf"][0].pop("format"), "data.at.anyOf[0]: format was removed"),
        (lambda s: s["properties"]["at"]["anyOf"].pop(), "data.at.anyOf"),
        (lambda s: s["properties"]["at"].update(default="now"), "data.at.default"),
        (lambda s: s["$defs"]["Inner"]["properties"]["x"].update(const=2), "data.inner.x.const: 1 became 2"),
        (lambda s: s["$defs"]["Inner"].pop("required"), "data.inner.x: was required"),
        (lambda s: s["properties"]["names"]["items"].update(type="integer"), "data.names.items.type"),
        (lambda s: s["properties"]["app_id"].update(pattern="^app_"), "data.app_id: pattern was added"),
        (lambda s: s.update(additionalProperties=False), "data: additionalProperties was added"),
    ],
)
def test_what_may_not_change(change: Change, named: str) -> None:
    sentences = breaks(OLD, changed(change))
    assert any(sentence.startswith(named) or named in sentence for sentence in sentences), sentences


def test_a_stale_a_missing_and_a_foreign_file_are_seen(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert different(tmp_path, FILES) == []
    (tmp_path / "asyncapi.json").write_text("{}")
    (tmp_path / "examples" / "registry.AppDisabled.v1.json").unlink()
    (tmp_path / "examples" / "old.json").write_text("{}")
    assert [line.split(":")[0] for line in different(tmp_path, FILES)] == [
        "examples/registry.AppDisabled.v1.json",
        "examples/old.json",
        "asyncapi.json",
    ]
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    (tmp_path / "examples" / "old.json").unlink()
    assert main(["--folder", str(tmp_path)]) == 0
    assert main(["--check", "--folder", str(tmp_path)]) == 0


def test_a_frozen_version_is_never_written_over_by_a_breaking_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, FILES)
    frozen = tmp_path / "schemas" / "registry.AppDisabled.v1.json"
    schema = json.loads(frozen.read_text())
    schema["properties"]["reason"] = {"type": "string"}
    frozen.write_text(json.dumps(schema))
    (tmp_path / "schemas" / "registry.AppPainted.v1.json").write_text("{}")
    assert main(["--folder", str(tmp_path)]) == 1
    assert "data.reason: the field was removed" in (said := capsys.readouterr().err)
    assert "registry.AppPainted.v1.json: the event is gone" in said
    assert json.loads(frozen.read_text()) == schema
    assert main(["--check", "--folder", str(FOLDER), "--against", str(tmp_path)]) == 1
