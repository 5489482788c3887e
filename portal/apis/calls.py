"""One call of a service on behalf of a browser: bounded in time, and every outcome but success an exception with a sentence."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

COMMAND_SECONDS: Final = 10.0
"""A command gets more time: whoever gives it up too early does not know whether it was done."""

PIECE_SECONDS: Final = 15.0
"""How long the next piece of a stream may take: a file that goes no further is cut off, which its missing last line tells."""

_AWAY: Final = frozenset({502, 503, 504})


class View(BaseModel):
    """What a service answers, as far as the pages show it; fields that a newer service adds are left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FieldProblem(View):
    """One wrong field of a problem document."""

    pointer: str
    code: str
    detail: str


class Problem(View):
    """An RFC 9457 problem document."""

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[FieldProblem] = ()


class Failed(Exception):
    """A call that did not do what was asked: Away, Refused or SessionOver."""


class Away(Failed):
    """The service did not answer in time, or said that it cannot at the moment."""

    def __init__(self, service: str, sentence: str | None = None) -> None:
        self.service = service
        self.sentence = sentence or f"The {service} service does not answer at the moment."
        super().__init__(self.sentence)


class Refused(Failed):
    """The service said no, and why."""

    def __init__(self, service: str, problem: Problem) -> None:
        super().__init__(f"{service}: {problem.code}")
        self.service, self.problem = service, problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def code(self) -> str:
        """The stable code."""
        return self.problem.code


class SessionOver(Failed):
    """The access token that was sent is not good any more: signed out elsewhere, or the account is gone."""


@dataclass(frozen=True, slots=True)
class Sender:
    """On whose behalf the portal calls: what the services log, count and show as the device."""

    request_id: str
    ip: str
    user_agent: str
    traceparent: str
    token: str | None = None

    def headers(self) -> dict[str, str]:
        """The request headers that say so."""
        found = {
            "x-request-id": self.request_id, "x-forwarded-for": self.ip, "user-agent": self.user_agent, "traceparent": self.traceparent,
        }  # fmt: skip
        return found | {"authorization": f"Bearer {self.token}"} if self.token else found


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one service in the name of one sender. Raises Away, Refused or SessionOver."""

    service: str
    base_url: str
    http: httpx2.AsyncClient
    sender: Sender
    read_seconds: float

    async def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, seconds: float | None = None, **rest: Any
    ) -> httpx2.Response:
        """The answer, when it is a success (or a 304). `seconds` is for a command that is not worth COMMAND_SECONDS."""
        deadline = self.read_seconds if method == "GET" else seconds or COMMAND_SECONDS
        sent = self.sender.headers() | dict(headers or {})
        try:
            async with asyncio.timeout(deadline):
                answer = await self.http.request(method, self.base_url + path, headers=sent, **rest)
        except (TimeoutError, httpx2.HTTPError):
            raise Away(self.service) from None
        if answer.is_success or answer.status_code == httpx2.codes.NOT_MODIFIED:
            return answer
        raise self._failure(answer)

    def _failure(self, answer: httpx2.Response) -> Failed:
        try:
            problem = Problem.model_validate_json(answer.content)
        except ValidationError:
            return Away(self.service)
        if answer.status_code in _AWAY:
            return Away(self.service, problem.title)
        if answer.status_code == httpx2.codes.UNAUTHORIZED and self.sender.token:
            return SessionOver(problem.code)
        return Refused(self.service, problem)

    async def stream(self, path: str, **rest: Any) -> AsyncIterator[bytes]:
        """The answer's body, piece by piece; there is a deadline for its beginning, and one for each piece."""
        request = self.http.build_request("GET", self.base_url + path, headers=self.sender.headers(), **rest)
        try:
            async with asyncio.timeout(self.read_seconds):
                answer = await self.http.send(request, stream=True)
                if not answer.is_success:
                    await answer.aread()
        except (TimeoutError, httpx2.HTTPError):
            raise Away(self.service) from None
        if not answer.is_success:
            raise self._failure(answer)
        return _pieces(answer)

    async def read(self, model: type[M], path: str, *, method: str = "GET", **rest: Any) -> M:
        """The answer's body as a view."""
        answer = await self(method, path, **rest)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as wrong:
            raise Away(self.service, f"The {self.service} service answered something unexpected.") from wrong


async def _pieces(answer: httpx2.Response) -> AsyncIterator[bytes]:
    coming = answer.aiter_bytes()
    try:
        while True:
            async with asyncio.timeout(PIECE_SECONDS):
                piece = await anext(coming, None)
            if piece is None:
                return
            yield piece
    finally:
        await answer.aclose()


async def attempt(call: Awaitable[T]) -> T | Away:
    """The answer, or the fact that its service is away: then only this part of the page is broken."""
    try:
        return await call
    except Away as away:
        return away


def quoted(version: int) -> dict[str, str]:
    """The If-Match header of a version."""
    return {"if-match": f'"{version}"'}


def given(params: Mapping[str, Any]) -> dict[str, Any]:
    """The query parameters that have a value."""
    return {name: value for name, value in params.items() if value is not None and value not in ("", ())}
