"""Attempts are counted in Redis, and more strictly in the process while Redis is away."""

import secrets
from collections.abc import Callable

import httpx2
import pytest
import redis.asyncio as redis

from services.identity.commands.limits import Limit, Limits
from services.identity.commands.secrets import Digests
from services.identity.domain.errors import TooManyAttempts
from services.identity.settings import Settings
from services.identity.wiring import build_main
from stack.testing import RealStack
from tests.identity.person import Identity

pytestmark = pytest.mark.stack
REGISTER, RESET = "/v1/accounts", "/v1/password/reset"
NINE = Limit("try", 9, 60)


async def within(limits: Limits, value: str) -> int:
    """How many of twelve attempts are allowed."""
    return sum([await limits.allows(NINE, value) for _ in range(12)])


async def test_two_processes_share_one_count(stack: RealStack) -> None:
    digests = Digests(secrets.token_bytes(32))
    one, other = Limits(stack.redis_url, digests), Limits(stack.redis_url, digests)
    assert await within(one, "192.0.2.1") == 9
    assert await within(other, "192.0.2.1") == 0
    assert await within(other, "192.0.2.2") == 9
    with pytest.raises(TooManyAttempts) as refused:
        await one.require(NINE, "192.0.2.1")
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 60
    await one.close()
    await other.close()


async def test_without_redis_a_third_is_allowed(unused_tcp_port_factory: Callable[[], int]) -> None:
    limits = Limits(f"redis://127.0.0.1:{unused_tcp_port_factory()}", Digests(bytes(32)))
    assert await within(limits, "192.0.2.1") == 3
    assert await within(limits, "192.0.2.2") == 3
    with pytest.raises(TooManyAttempts):
        await limits.require(NINE, "192.0.2.1")
    await limits.close()


async def test_new_passwords_have_a_smaller_limit_for_each_address_and_for_a_64_of_ipv6(settings: Settings) -> None:
    few = settings.model_copy(update={"new_passwords_per_ip": 3})
    async with build_main(few) as app:

        async def tried(ip: str, path: str) -> int:
            body = {
                "email": "ann@example.com",
                "password": "short-but-long",
                **({"name": "Ann"} if path == REGISTER else {"code": "000000"}),
            }
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=(ip, 1)), base_url="http://identity") as http:
                return (await http.post(path, json=body)).status_code

        assert [await tried("2001:db8::1", path) for path in (REGISTER, RESET, REGISTER)] != [429] * 3
        assert [await tried(ip, REGISTER) for ip in ("2001:db8::2", "2001:db8:0:1::2", "192.0.2.1")] == [429, 202, 202]
        assert await tried("2001:db8::ffff", RESET) == 429


async def test_redis_learns_no_address_and_forgets_by_itself(stack: RealStack) -> None:
    limits = Limits(stack.redis_url, Digests(secrets.token_bytes(32)))
    looking = redis.from_url(stack.redis_url)
    before = set(await looking.keys("limit:*"))
    await limits.allows(NINE, "sign-in/ann@example.com")
    [made] = set(await looking.keys("limit:*")) - before
    assert b"ann" not in made
    assert 0 < await looking.ttl(made) <= 60
    await limits.close()
    await looking.aclose()


async def test_without_redis_people_sign_in_and_guessers_are_stopped_sooner(
    settings: Settings, unused_tcp_port_factory: Callable[[], int]
) -> None:
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{unused_tcp_port_factory()}"})
    async with build_main(away) as app, Identity(app, away) as identity:
        await identity.signed_in()
        answers = [await identity.try_to_sign_in("nobody@example.com", "x") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
