"""Logos over HTTP: the image itself as the body, or the one file of a form."""

from typing import Annotated, Any, Final

from fastapi import Request, Response
from starlette.datastructures import UploadFile

from services.registry.api.schemas import AppAnswer, app_decided
from services.registry.commands.apps import AppCommands
from services.registry.domain.errors import field_error
from services.registry.domain.logo import MOST_BYTES
from services.registry.queries import RegistryQueries
from shared.errors import Invalid
from shared.http.caller import MaybeIfMatch, Person
from shared.http.headers import versioned
from shared.http.routing import Router, provided, read_body

router = Router(prefix="/v1/apps/{app_id}/logo", tags=["logos"])
Commands = Annotated[AppCommands, provided(AppCommands)]
Queries = Annotated[RegistryQueries, provided(RegistryQueries)]

_IMAGE: Final = {"schema": {"type": "string", "format": "binary"}}
_FORM: Final = {"schema": {"type": "object", "required": ["logo"], "properties": {"logo": {"type": "string", "format": "binary"}}}}
_UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": f"PNG or JPEG by its content, at most {MOST_BYTES} bytes",
        "content": {"image/png": _IMAGE, "image/jpeg": _IMAGE, "application/octet-stream": _IMAGE, "multipart/form-data": _FORM},
    }
}
_PICTURE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/png": _IMAGE}, "description": "The logo"},
    304: {"description": "The logo is still the one of If-None-Match"},
}


@router.put("", openapi_extra=_UPLOAD)
async def change_logo(app_id: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> AppAnswer:
    """Show another logo. It is drawn anew as a PNG of at most 512 pixels a side, without anything else that the file held."""
    image = await _uploaded(caller.request)
    return app_decided(response, await commands.change_logo(app_id, image, caller.context(expected)))


@router.get("", response_class=Response, responses=_PICTURE)
async def get_logo(app_id: str, caller: Person, queries: Queries) -> Response:
    """The logo as a PNG. Its `ETag` is the hash that the app names."""
    logo = await queries.get_logo(app_id, tenant=caller.account_id)
    headers = {"ETag": f'"{logo.hash}"', "Cache-Control": "private, no-cache", "Content-Disposition": 'inline; filename="logo.png"'}
    if caller.request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(logo.png, media_type="image/png", headers=headers)


@router.delete("", status_code=204)
async def remove_logo(app_id: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> None:
    """Show no logo any more."""
    versioned(response, "registry", await commands.remove_logo(app_id, caller.context(expected)))


async def _uploaded(request: Request) -> bytes:
    """The image. What the sender says of its type is not looked at: its content tells. Raises Invalid for a form without a file."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await read_body(request)
    async with request.form(max_files=1, max_fields=1) as form:
        for value in form.values():
            if isinstance(value, UploadFile):
                return await value.read()
    raise Invalid(errors=(field_error("logo", "required"),))
