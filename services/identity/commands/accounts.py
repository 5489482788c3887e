"""What can be done about an account: register, verify, rename, erase."""

import contextlib
from collections.abc import Sequence
from functools import partial

from services.identity.commands.limits import network_of
from services.identity.commands.ports import Desk, about, code_letter, letter
from services.identity.commands.secrets import new_code
from services.identity.domain import account
from services.identity.domain.account import Account, Status
from services.identity.domain.errors import CodeRefused, EmailTaken
from services.identity.domain.events import AccountEvent
from shared.errors import StreamMoved, Unavailable
from shared.ids import new_id
from shared.store.aggregates import Aggregates, Decided
from shared.store.records import Context, Mail

_TRIES = 3


async def erase_again(accounts: Aggregates[Account, AccountEvent], account_id: str, context: Context) -> bool:
    """Erase an account that a backup brought back; False where there is none. Its owner was told when it was erased first."""
    if (await accounts.load(account_id)).state.status in {Status.ERASED, Status.UNKNOWN}:
        return False
    await accounts.decide(account_id, partial(account.erase, now=context.now), context, shreds=[account_id])
    return True


class AccountCommands:
    """One method, one decision, one transaction. What an anonymous caller learns never depends on whether an account exists."""

    def __init__(self, accounts: Aggregates[Account, AccountEvent], desk: Desk) -> None:
        self._accounts, self._desk = accounts, desk

    async def register(self, email: str, password: str, name: str, *, ip: str, context: Context) -> None:
        """Mail a code to a new address, or a notice to the owner of a known one. Raises PasswordTooWeak, TooManyAttempts."""
        await self._desk.count("register", ip)
        await self._desk.count_new_password(network_of(ip))
        password_hash = await self._desk.passwords.hash(password, (email, name))
        digest = self._desk.digests.email(email)
        same_as = await self._same(digest, password)
        noticed = await self._desk.limits.allows(self._desk.notices, digest)
        for _ in range(_TRIES):
            account_id = await self._desk.directory.find_account_id(digest) or new_id("acc")
            code = new_code()
            code_digest = self._desk.digests.code("verify", account_id, code)
            decision = partial(
                account.register, email=email, email_digest=digest, name=name, password_hash=password_hash, same_as=same_as,
                code_digest=code_digest, now=context.now,
            )  # fmt: skip

            def mails(after: Account, code: str = code, code_digest: str = code_digest) -> Sequence[Mail]:
                if after.status is Status.ACTIVE:
                    return letter(email, self._desk.letters.already_registered()) if noticed else ()
                return code_letter(after.verification, code_digest, email, self._desk.letters.verification(code, contested=after.contested))

            try:
                await self._accounts.decide(account_id, decision, about(context, account_id), mails=mails)
            except (EmailTaken, StreamMoved):
                continue  # somebody registered it between our look and our append
            return
        raise Unavailable

    async def _same(self, digest: str, password: str) -> object:
        """The hash of an address that waits for its code, when this is its password. Checks one hash for every address."""
        account_id = await self._desk.directory.find_account_id(digest)
        known = (await self._accounts.load(account_id)).state if account_id else Account("")
        waiting = known.password_hash if known.status is Status.UNVERIFIED else None
        return waiting if await self._desk.passwords.matches(waiting, password) else None

    async def resend(self, email: str, *, ip: str, context: Context) -> None:
        """Mail another code when the address waits for one. Raises TooManyAttempts."""
        await self._desk.count("resend", ip)
        account_id = await self._desk.find(email)
        if account_id is None:
            return
        code = new_code()
        digest = self._desk.digests.code("verify", account_id, code)

        def mails(after: Account) -> Sequence[Mail]:
            return code_letter(after.verification, digest, after.email, self._desk.letters.verification(code, contested=after.contested))

        decision = partial(account.resend, code_digest=digest, now=context.now)
        with contextlib.suppress(StreamMoved):  # another code is on its way; the answer must not tell
            await self._accounts.decide(account_id, decision, about(context, account_id), mails=mails)

    async def verify(self, email: str, code: str, *, ip: str, context: Context) -> Decided[Account]:
        """Believe that an address is its owner's. Raises CodeRefused, TooManyAttempts."""
        await self._desk.count("code", ip, email=email)
        account_id = await self._desk.find(email)
        if account_id is None:
            raise CodeRefused
        decision = partial(account.verify, code_digest=self._desk.digests.code("verify", account_id, code), now=context.now)
        try:
            decided = await self._accounts.decide(account_id, decision, about(context, account_id))
        except StreamMoved:  # others try codes at the same moment and are counted; the answer must not tell
            raise CodeRefused from None
        if decided.state.status is not Status.ACTIVE:
            raise CodeRefused
        return decided

    async def rename(self, account_id: str, *, name: str, context: Context) -> Decided[Account]:
        """Change the name that is shown."""
        return await self._accounts.decide(account_id, partial(account.rename, name=name), context)

    async def erase(self, account_id: str, *, context: Context) -> Decided[Account]:
        """End the account and shred the key of everything personal about it, in one transaction."""
        email = (await self._accounts.load(account_id)).state.email
        farewell = letter(email, self._desk.letters.erased())
        return await self._accounts.decide(
            account_id, partial(account.erase, now=context.now), context, mails=lambda _after: farewell, shreds=[account_id]
        )
