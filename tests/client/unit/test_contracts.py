"""The frozen contract: files and code agree, examples are what the schemas say, and no change that breaks a reader gets through."""

import copy
import hashlib
import json
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal

import jsonschema_rs
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from latchkey.contracts import __main__ as gate_command
from latchkey.contracts import page as event_page
from latchkey.contracts.__main__ import main
from latchkey.contracts.api import MODULES, api
from latchkey.contracts.compatibility import breaks
from latchkey.contracts.documents import contract, envelope_schema, event_schema
from latchkey.contracts.gate import different, write
from latchkey.contracts.page import page
from latchkey.envelope import decode
from latchkey.events import EVENTS, PublicEvent
from latchkey.topics import REGISTRY_APP_EVENTS
from pydantic import AwareDatetime, create_model

pytestmark = pytest.mark.slow  # it writes files

FOLDER = Path(__file__).parents[3] / "contracts"
OFFICIAL = Path(__file__).parents[1] / "official"
FILES = contract()
Change = Callable[[dict[str, Any]], Any]


def test_the_folder_is_what_the_code_says() -> None:
    assert main(["--check", *told(FOLDER, FOLDER.parent / "docs" / "events.md", FOLDER.parent / "client" / "API.md")]) == 0


def told(folder: Path, events: Path, interface: Path) -> list[str]:
    return ["--folder", str(folder), "--page", str(events), "--api", str(interface)]


def official(name: str) -> Any:
    """A schema of others, as it was published: its digest is the one that the table beside it names."""
    raw = (OFFICIAL / name).read_bytes()
    assert f"| `{hashlib.sha256(raw).hexdigest()}` |" in (OFFICIAL / "README.md").read_text("utf-8")
    return json.loads(raw)


def test_asyncapi_passes_the_official_schema_of_its_version() -> None:
    document, checks = json.loads(FILES["asyncapi.json"]), jsonschema_rs.validator_for(official("asyncapi-3.0.0.json"))
    assert [str(error) for error in checks.iter_errors(document)] == []
    document["operations"]["publish.registry.app.events.v1"]["action"] = "shout"
    assert not checks.is_valid(document)


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_example_is_a_cloudevent_by_the_official_schema_and_kit(event: type[PublicEvent]) -> None:
    raw = FILES[f"examples/{event.event_type}.json"]
    assert jsonschema_rs.validator_for(official("cloudevents-1.0.json"), validate_formats=True).is_valid(json.loads(raw))
    read = JSONFormat().read(CloudEvent, raw)
    assert (read.get_type(), read.get_extension("streamversion")) == (event.event_type, 1)


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


class Thing(PublicEvent):
    """An event as the published version had it."""

    event_name: ClassVar[str] = "registry.Thing"
    topic: ClassVar[str] = REGISTRY_APP_EVENTS

    app_id: str
    kind: Literal["pk", "sk"]
    unit: Literal["EUR"]
    at: AwareDatetime
    note: str | None = None


PUBLISHED: dict[str, Any] = {name: (field.annotation, field) for name, field in Thing.model_fields.items()}


class Bare(PublicEvent):
    """The same event before it is given its fields again, one of them changed."""

    event_name: ClassVar[str] = "registry.Thing"


@pytest.mark.parametrize(
    ("gone", "come", "named"),
    [
        ("", {"colour": (str, ...)}, "data.colour: a new field must be optional"),
        ("note", {}, "data.note: the field was removed"),
        ("at", {"moment": (AwareDatetime, ...)}, "data.at: the field was removed"),
        ("app_id", {"app_id": (int, ...)}, "data.app_id.type: 'string' became 'integer'"),
        ("kind", {"kind": (Literal["pk"], ...)}, "data.kind"),
        ("unit", {"unit": (Literal["USD"], ...)}, "data.unit.const: 'EUR' became 'USD'"),
        ("at", {"at": (date, ...)}, "data.at.format: 'date-time' became 'date'"),
        ("note", {"note": (str | None, ...)}, "data.note: was optional"),
    ],
    ids=["added required", "removed", "renamed", "retyped", "narrowed enum", "changed const", "changed format", "made required"],
)
def test_each_breaking_change_of_an_event_class_is_caught(
    gone: str, come: dict[str, Any], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: type[Bare] = create_model("Thing", __base__=Bare, **{name: field for name, field in PUBLISHED.items() if name != gone}, **come)
    file = f"schemas/{Thing.event_type}.json"
    write(tmp_path, FILES | {file: json.dumps(event_schema(Thing))})
    monkeypatch.setattr(gate_command, "contract", lambda: FILES | {file: json.dumps(event_schema(changed))})
    assert main(told(tmp_path, tmp_path / "events.md", tmp_path / "API.md")) == 1
    assert f"{file}: {named}" in capsys.readouterr().err
    more: dict[str, Any] = {"colour": (str | None, None)}
    same: type[Bare] = create_model("Thing", __base__=Bare, **PUBLISHED, **more)
    assert breaks(event_schema(Thing), event_schema(same)) == []


def test_no_version_that_was_ever_committed_is_broken() -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], check=True, capture_output=True, text=True, cwd=FOLDER).stdout

    commits = git("log", "--format=%H", "--", "schemas").split()
    assert commits
    for commit in commits:
        for name in git("ls-tree", "-r", "--name-only", commit, "--", "schemas").split():
            assert name in FILES, f"{name} of {commit} is gone"
            assert breaks(json.loads(git("show", f"{commit}:./{name}")), json.loads(FILES[name])) == [], (commit, name)


def test_the_page_says_of_every_event_when_where_and_what() -> None:
    text = page()
    for event in EVENTS.values():
        part = text.partition(f"`{event.event_type}`: ")[2].partition("### ")[0]
        assert part.startswith((event.__doc__ or "").strip())
        assert f"Topic `{event.topic}`, in the order of its stream." in part
        assert all(f"| `{name}` |" in part for name in event.model_fields)
        assert json.loads(part.partition("```json")[2].partition("```")[0])["type"] == event.event_type


def test_the_page_of_the_interface_names_what_the_package_offers() -> None:
    text = api()
    for module in MODULES:
        assert f"## `latchkey.{module}`" in text
    for name in ("Consumer", "Listener", "LocalVerifier", "KeyGate", "admit", "BlockingVerifier", "Feed", "read_states", "decode"):
        assert f"### `{name}`" in text


def test_a_field_that_nobody_described_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_page, "EVENTS", {Thing.event_type: Thing})
    with pytest.raises(ValueError, match="say what app_id means"):
        page()


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
    of_it = told(tmp_path, tmp_path / "docs" / "events.md", tmp_path / "docs" / "API.md")
    assert main(["--check", *of_it]) == 1
    (tmp_path / "examples" / "old.json").unlink()
    assert main(of_it) == 0
    assert main(["--check", *of_it]) == 0
    for name in ("events.md", "API.md"):
        kept = (tmp_path / "docs" / name).read_text()
        (tmp_path / "docs" / name).write_text("# Something else")
        assert main(["--check", *of_it]) == 1
        (tmp_path / "docs" / name).write_text(kept)
    assert main(["--check", *of_it]) == 0


def test_a_frozen_version_is_never_written_over_by_a_breaking_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, FILES)
    frozen = tmp_path / "schemas" / "registry.AppDisabled.v1.json"
    schema = json.loads(frozen.read_text())
    schema["properties"]["reason"] = {"type": "string"}
    frozen.write_text(json.dumps(schema))
    (tmp_path / "schemas" / "registry.AppPainted.v1.json").write_text("{}")
    assert main(told(tmp_path, tmp_path / "events.md", tmp_path / "API.md")) == 1
    assert "data.reason: the field was removed" in (said := capsys.readouterr().err)
    assert "registry.AppPainted.v1.json: the event is gone" in said
    assert json.loads(frozen.read_text()) == schema
    assert main(["--check", "--folder", str(FOLDER), "--against", str(tmp_path)]) == 1
