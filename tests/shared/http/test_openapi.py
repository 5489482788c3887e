"""The OpenAPI document tells a stranger everything: schemathesis finds no answer that it does not describe."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.config import SchemathesisConfig

from tests.shared.http.toy_api import Things, toy
from tests.tokens import machine, person

pytestmark = pytest.mark.slow
CHECKS = {
    "missing_required_header": {"expected-statuses": [400, 401, 403, 422, 428]},  # RFC 6585 has a status of its own for If-Match
    # A version or a cursor that is well formed is still not the right one: 412 and 422.
    # Headers are made without regard to their pattern: 400.
    "positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 404, 409, 410, 412, 422, 428, 429]},
}
SCHEMA = schemathesis.openapi.from_asgi(
    "/openapi.json", toy(Things(), limit=100_000), config=SchemathesisConfig.from_dict({"checks": CHECKS})
)


@SCHEMA.auth(refresh_interval=None)
class Credentials:
    """Signs in as whatever the operation asks for."""

    def get(self, case: Any, _context: Any) -> dict[str, str]:
        schemes = {scheme for requirement in case.operation.definition.raw["security"] for scheme in requirement}
        return machine("feed:toy") if "serviceToken" in schemes else person() if "accessToken" in schemes else {}

    def set(self, case: Any, data: dict[str, str], _context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": data.get("authorization", "")}


@SCHEMA.parametrize()
@hypothesis_settings(max_examples=25, suppress_health_check=list(HealthCheck), database=None)
def test_every_answer_is_described(case: Any) -> None:
    case.call_and_validate()


def test_every_operation_has_a_problem_for_everything_the_kit_can_refuse() -> None:
    document = toy(Things()).openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            problems = {int(s) for s, answer in operation["responses"].items() if "application/problem+json" in answer.get("content", {})}
            assert {400, 413, 422, 429, 500, 503} <= problems, (path, method)
            assert ({401, 403} <= problems) is bool(operation["security"]), (path, method)
            assert "X-Request-Id" in operation["responses"]["422"]["headers"]


def test_headers_that_the_kit_reads_are_declared_where_they_count() -> None:
    paths = toy(Things()).openapi()["paths"]

    def names(operation: dict[str, Any]) -> dict[str, bool]:
        return {parameter["name"]: parameter["required"] for parameter in operation.get("parameters", ())}

    assert names(paths["/v1/things"]["post"]) == {"Idempotency-Key": False}
    assert names(paths["/v1/sessions"]["post"]) == {}
    assert names(paths["/v1/things/{thing_id}"]["patch"]) == {"thing_id": True, "If-Match": True}
    assert names(paths["/v1/things/{thing_id}/disable"]["post"]) == {"thing_id": True, "If-Match": False}
    assert names(paths["/v1/things/{thing_id}"]["get"]) == {"thing_id": True, "Event-Position": False}
