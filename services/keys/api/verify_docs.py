"""POST /v1/keys/verify as the OpenAPI document tells of it; the plain ASGI route answers before this one is asked."""

from typing import Annotated, ClassVar

from fastapi import Request, Response

from services.keys.api.schemas import Verdict, Verify
from services.keys.api.verifying import Question, Verifying
from shared.http.caller import Access, Caller, part
from shared.http.routing import UNKEYED, Router, provided


class VerifierAccess(Access):
    """A service token with `keys:verify`, or a secret key, which then learns about its own app's keys."""

    schemes: ClassVar[tuple[str, ...]] = ("serviceToken", "secretKey")

    async def identify(self, request: Request) -> Caller:
        """See Access."""
        sent = request.headers
        app_id = await part(request, Verifying).asker(
            sent.get("authorization", ""), sent.get("origin"), request.client and request.client.host
        )
        return Caller("service", request, details=app_id)


router = Router(prefix="/v1/keys", tags=["verify"])


@router.post("/verify", openapi_extra=UNKEYED, responses={200: {"model": Verdict}})
async def verify(
    body: Verify, caller: Annotated[Caller, VerifierAccess()], verifying: Annotated[Verifying, provided(Verifying)]
) -> Response:
    """Say whether a key is good, at once and never on the word of a table older than the bound: then 503 with the code STALE_FEED."""
    question = Question(body.key, body.scope, body.origin, body.ip)
    return Response(await verifying.answer(caller.details, question), media_type="application/json")
