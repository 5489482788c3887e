"""The OpenAPI document of registry: the paths that were promised, and the form as a generated client sees it."""

from typing import Any

import pytest
from fastapi.openapi.utils import get_openapi

from services.registry.api import ROUTERS
from services.registry.domain.details import FIELDS, OPTIONAL

PROMISED = {
    "/v1/catalog": {"get"},
    "/v1/subscriptions": {"get", "post"},
    "/v1/subscriptions/{subscription_id}": {"get", "delete"},
    "/v1/apps": {"get", "post"},
    "/v1/apps/{app_id}": {"get", "patch"},
    "/v1/apps/{app_id}/disable": {"post"},
    "/v1/apps/{app_id}/enable": {"post"},
    "/v1/apps/{app_id}/archive": {"post"},
    "/v1/apps/{app_id}/restore": {"post"},
    "/v1/apps/{app_id}/history": {"get"},
    "/v1/apps/{app_id}/logo": {"get", "put", "delete"},
    "/v1/apps/{app_id}/domains": {"get", "post"},
    "/v1/apps/{app_id}/domains/{domain}": {"delete"},
    "/v1/apps/{app_id}/domains/{domain}/verify": {"post"},
    "/v1/countries": {"get"},
    "/v1/countries/{code}/states": {"get"},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What FastAPI sees."""
    return get_openapi(title="registry", version="1", routes=[route for router in ROUTERS for route in router.routes])


def test_exactly_the_promised_paths_are_there(document: dict[str, Any]) -> None:
    assert {path: set(operations) for path, operations in document["paths"].items()} == PROMISED


@pytest.mark.parametrize("name", ["NewApp", "AppChanges"])
def test_s28_the_form_says_what_is_mandatory_and_takes_nothing_else(document: dict[str, Any], name: str) -> None:
    form = document["components"]["schemas"][name]
    assert form["additionalProperties"] is False
    assert set(form["properties"]) == {*FIELDS, "logo"}
    assert set(form.get("required", [])) == (set(FIELDS) - OPTIONAL if name == "NewApp" else set())
    assert form["properties"]["name"]["minLength"] == 3
    assert form["properties"]["name"]["maxLength"] == 256
    for field, shown in form["properties"].items():
        assert ({"type": "null"} in shown.get("anyOf", [])) is (field in OPTIONAL | {"logo"})
        assert "default" not in shown


def test_s18_a_logo_is_an_image_or_a_form(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/apps/{app_id}/logo"]["put"]["requestBody"]
    assert set(body["content"]) == {"image/png", "image/jpeg", "application/octet-stream", "multipart/form-data"}
    shown = document["paths"]["/v1/apps/{app_id}/logo"]["get"]["responses"]["200"]
    assert list(shown["content"]) == ["image/png"]
