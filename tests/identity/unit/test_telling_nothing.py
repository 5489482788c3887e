"""What a stranger could read from the clock: the same work is done for every address, and answers leave on the beat."""

import time
from collections.abc import Sequence

import pytest

from services.identity.api.pace import paced
from services.identity.commands.accounts import AccountCommands
from services.identity.commands.hashing import Passwords
from services.identity.commands.limits import Limit, Limits
from services.identity.commands.passwords import PasswordCommands
from services.identity.commands.ports import Desk
from services.identity.commands.secrets import Digests, RefreshTokens
from services.identity.commands.sessions import Device, SessionCommands
from services.identity.commands.tokens import Signer
from services.identity.domain.account import CODES_A_DAY
from services.identity.domain.errors import CodeRefused, SignInRefused
from services.identity.mail import Texts
from services.identity.wiring import ACCOUNT, SESSION
from shared.store.aggregates import Aggregates
from shared.store.memory import MemoryStore
from shared.store.records import Context
from tests.identity.builders import NOW

MASTER = bytes(range(32))
KNOWN, UNKNOWN, PASSWORD = "ann@example.com", "nobody@example.com", "correct-horse-battery-staple-7"
CONTEXT = Context("anonymous", "anonymous", NOW, "req_1")


class CountingPasswords(Passwords):
    """Notes what is hashed and checked, at next to no cost."""

    def __init__(self) -> None:
        super().__init__(threads=1, waiting=1, memory_kib=8)
        self.work: list[str] = []

    async def hash(self, password: str, known: Sequence[str], *, pointer: str = "/password") -> str:
        self.work.append("hash")
        return await super().hash(password, known, pointer=pointer)

    async def matches(self, password_hash: object, password: str) -> bool:
        self.work.append("check")
        return await super().matches(password_hash, password)


class NoLimits(Limits):
    """Nobody is ever told to wait."""

    def __init__(self) -> None:
        """Without Redis."""

    async def require(self, limit: Limit, value: str) -> None:
        """See Limits."""

    async def allows(self, limit: Limit, value: str) -> bool:  # noqa: ARG002  # the parameters of Limits
        return True


class Service:
    """Identity's commands over a store in memory."""

    def __init__(self) -> None:
        self.store, self.passwords, self.digests = MemoryStore(), CountingPasswords(), Digests(MASTER)
        most = Limit("any", CODES_A_DAY, 60)
        desk = Desk(self, self.passwords, self.digests, Texts(), NoLimits(), most, most, most, most)
        accounts, sessions = Aggregates(ACCOUNT, self.store), Aggregates(SESSION, self.store)
        self.accounts, self.secrets = AccountCommands(accounts, desk), PasswordCommands(accounts, desk)
        self.sessions = SessionCommands(accounts, sessions, desk, RefreshTokens(MASTER), Signer(MASTER))

    async def find_account_id(self, email_digest: str) -> str | None:
        """The one account that there is, under its address."""
        here = self.store.log and email_digest == self.digests.email(KNOWN)
        return self.store.log[0].row.stream_id if here else None


@pytest.fixture
async def service() -> Service:
    """With one account, whose code was not entered yet."""
    made = Service()
    await made.accounts.register(KNOWN, PASSWORD, "Ann", ip="192.0.2.1", context=CONTEXT)
    made.passwords.work.clear()
    return made


async def test_a_password_is_checked_for_an_unknown_address_too(service: Service) -> None:
    for email in (KNOWN, UNKNOWN):
        with pytest.raises(SignInRefused):
            await service.sessions.sign_in(email, "not-her-password", Device("192.0.2.1", "Firefox"), CONTEXT)
    assert service.passwords.work == ["check", "check"]
    service.passwords.close()


async def test_a_password_is_hashed_for_an_unknown_or_taken_address_too(service: Service) -> None:
    for email in (KNOWN, UNKNOWN):
        await service.accounts.register(email, PASSWORD, "Ann", ip="192.0.2.1", context=CONTEXT)
        with pytest.raises(CodeRefused):
            await service.secrets.reset(email, "000000", PASSWORD, ip="192.0.2.1", context=CONTEXT)
    assert service.passwords.work == ["hash", "check", "hash"] * 2
    service.passwords.close()


async def test_an_answer_leaves_on_the_next_tenth_of_a_second() -> None:
    began = time.monotonic()
    async with paced():
        pass
    with pytest.raises(SignInRefused):
        async with paced(refusals_only=True):
            raise SignInRefused
    assert time.monotonic() - began >= 0.2
