"""What can be done about an account: register, verify, rename, erase."""

import contextlib
from functools import partial

from services.identity.commands.hashing import Passwords
from services.identity.commands.limits import Limits
from services.identity.commands.ports import AccessLimits, Directory, Letters, about, letter
from services.identity.commands.secrets import Digests, new_code
from services.identity.domain import account
from services.identity.domain.account import Account, Status
from services.identity.domain.errors import AddressContended, CodeRefused, EmailTaken
from services.identity.domain.events import AccountEvent
from shared.errors import StreamMoved
from shared.ids import new_id
from shared.store.aggregates import Aggregates, Decided
from shared.store.records import Context, Mail

_TRIES = 3


class AccountCommands:
    """One method, one decision, one transaction. What an anonymous caller learns never depends on whether an account exists."""

    def __init__(
        self,
        accounts: Aggregates[Account, AccountEvent],
        directory: Directory,
        passwords: Passwords,
        digests: Digests,
        letters: Letters,
        limits: Limits,
        rates: AccessLimits,
    ) -> None:
        self._accounts, self._directory, self._passwords = accounts, directory, passwords
        self._digests, self._letters, self._limits, self._rates = digests, letters, limits, rates

    async def register(self, email: str, password: str, name: str, *, ip: str, context: Context) -> None:
        """Mail a code to a new address, or a notice to the owner of a known one. Raises PasswordTooWeak, TooManyAttempts."""
        await self._limits.require((self._rates.per_ip, f"register/{ip}"))
        password_hash = await self._passwords.hash(password, (email, name))
        digest = self._digests.email(email)
        noticed = await self._limits.allows(self._rates.notices, digest)
        for _ in range(_TRIES):
            account_id = await self._directory.find_account_id(digest) or new_id("acc")
            code = new_code()
            code_digest = self._digests.code("verify", account_id, code)
            decision = partial(
                account.register, email=email, email_digest=digest, name=name, password_hash=password_hash, code_digest=code_digest,
                now=context.now,
            )  # fmt: skip

            def mails(after: Account, code: str = code, code_digest: str = code_digest) -> list[Mail]:
                if after.verification is not None and after.verification.digest == code_digest:
                    return [*letter(email, self._letters.verification(code))]
                return [*letter(email, self._letters.already_registered())] if after.status is Status.ACTIVE and noticed else []

            try:
                await self._accounts.decide(account_id, decision, about(context, account_id), mails=mails)
            except (EmailTaken, StreamMoved):
                continue  # somebody registered it between our look and our append
            return
        raise AddressContended

    async def resend(self, email: str, *, ip: str, context: Context) -> None:
        """Mail another code when the address waits for one. Raises TooManyAttempts."""
        await self._limits.require((self._rates.per_ip, f"resend/{ip}"))
        account_id = await self._directory.find_account_id(self._digests.email(email))
        if account_id is None:
            return
        code = new_code()
        digest = self._digests.code("verify", account_id, code)

        def mails(after: Account) -> list[Mail]:
            sent = after.verification is not None and after.verification.digest == digest
            return [*letter(after.email, self._letters.verification(code))] if sent else []

        decision = partial(account.resend, code_digest=digest, now=context.now)
        with contextlib.suppress(StreamMoved):  # another code is on its way; the answer must not tell
            await self._accounts.decide(account_id, decision, about(context, account_id), mails=mails)

    async def verify(self, email: str, code: str, *, ip: str, context: Context) -> Decided[Account]:
        """Believe that an address is its owner's. Raises CodeRefused, TooManyAttempts."""
        digest = self._digests.email(email)
        await self._limits.require((self._rates.per_ip, f"code/{ip}"), (self._rates.per_account, f"code/{digest}"))
        account_id = await self._directory.find_account_id(digest)
        if account_id is None:
            raise CodeRefused
        decision = partial(account.verify, code_digest=self._digests.code("verify", account_id, code), now=context.now)
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
        farewell = letter(email, self._letters.erased())
        return await self._accounts.decide(
            account_id, partial(account.erase, now=context.now), context, mails=lambda _after: farewell, shreds=[account_id]
        )
