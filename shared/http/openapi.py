"""The OpenAPI document: what FastAPI sees, completed by what the kit itself answers, asks and sends."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from fastapi.openapi.utils import get_openapi

from shared.http.given import VersionMatch
from shared.http.problems import MEDIA_TYPE
from shared.http.routing import Route
from shared.http.schemas import Problem

if TYPE_CHECKING:
    from shared.http.app import ServiceApp

_TITLES: Final[Mapping[int, str]] = {
    400: "The request could not be read", 401: "No valid credential", 403: "The credential does not suffice",
    404: "No such thing, or not yours", 408: "The body did not arrive in time", 409: "Conflicts with the present state",
    410: "No longer there", 412: "Changed since it was read", 413: "The body is too large", 415: "Content type not accepted",
    422: "Fields are wrong", 428: "If-Match is missing", 429: "Too many requests", 500: "Our fault",
    503: "Not possible at the moment",
}  # fmt: skip
_SCHEMES: Final = {
    "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A person's access token"},
    "serviceToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A machine's service token"},
    "secretKey": {"type": "http", "scheme": "basic", "description": "A secret key as user name (or as bearer)"},
    "publicKey": {"type": "http", "scheme": "bearer", "description": "A public key"},
    "clientSecret": {"type": "http", "scheme": "basic", "description": "Client id and secret of a service client"},
}
_TEXT: Final = {"schema": {"type": "string"}}
_RETRY: Final = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds"}}


def describe(app: "ServiceApp") -> dict[str, Any]:
    """Build the document."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    routes = [route for route in app.routes if isinstance(route, Route)]
    used = {scheme for route in routes for scheme in route.access.schemes}
    document["components"]["securitySchemes"] = {name: _SCHEMES[name] for name in sorted(used)}
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _complete(operation, route, method)
    return document


def _complete(operation: dict[str, Any], route: Route, method: str) -> None:
    operation["security"] = [{scheme: []} for scheme in route.access.schemes]
    operation.setdefault("parameters", []).extend(_parameters(route))
    for parameter in operation["parameters"]:
        parameter["schema"] = _present(parameter["schema"])
    if not operation["parameters"]:
        del operation["parameters"]
    for status, response in operation["responses"].items():
        headers = response.setdefault("headers", {})
        headers["X-Request-Id"] = _TEXT
        if status.startswith("2") and method != "GET":
            headers |= {"ETag": _TEXT, "Event-Position": _TEXT}
    for status in _statuses(route, method, operation):
        response = {"description": _TITLES[status], "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        response["headers"] = {"X-Request-Id": _TEXT} | (_RETRY if status in {429, 503} else {})
        known = operation["responses"].get(str(status))
        if known is None or status == 422:  # noqa: PLR2004 - FastAPI's own 422 has another shape
            operation["responses"][str(status)] = response
        else:
            known.setdefault("content", {}).setdefault(MEDIA_TYPE, response["content"][MEDIA_TYPE])
            known["headers"] |= response["headers"]


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """What an optional parameter is when it is sent: a query and a header have no null."""
    kinds: list[dict[str, Any]] = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return kinds[0] | {name: value for name, value in schema.items() if name != "anyOf"}


def _statuses(route: Route, method: str, operation: Mapping[str, Any]) -> Iterator[int]:
    yield from (400, 413, 422, 429, 500, 503)
    if route.access.schemes:
        yield from (401, 403)
    if "{" in route.path_format:
        yield from (404, 410)
    if "requestBody" in operation:
        yield from (408, 415)
    if method != "GET":
        yield from (404, 409, 412, 428)


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    if route.keyed:
        schema: dict[str, Any] = {"type": "string", "pattern": "^[!-~]{1,255}$"}
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}
    for given in route.given.values():
        if isinstance(given, VersionMatch):
            schema = {"type": "string", "pattern": '^"(0|[1-9][0-9]{0,8})"$', "examples": ['"3"']}
            yield {"name": "If-Match", "in": "header", "required": given.required, "schema": schema}
