"""The one credential that only identity knows: a service client's id and secret."""

from typing import ClassVar

from fastapi import Request

from services.identity.commands.clients import CLIENT_ID
from services.identity.domain.errors import ClientRefused
from shared.http.caller import Access, Caller
from shared.http.credentials import basic_of


class ClientAccess(Access):
    """Client id and secret as HTTP Basic; `details` is the pair as sent, which the command judges."""

    schemes: ClassVar[tuple[str, ...]] = ("clientSecret",)

    async def identify(self, request: Request) -> Caller:
        """See Access."""
        sent = basic_of(request.headers.get("authorization"))
        if sent is None or not CLIENT_ID.fullmatch(sent[0]):
            raise ClientRefused
        return Caller("anonymous", request, details=sent)
