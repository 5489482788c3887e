"""What can be done about a password: forget it, choose another with a mailed code, change it."""

import contextlib
from functools import partial

from services.identity.commands.hashing import Passwords
from services.identity.commands.limits import Limits
from services.identity.commands.ports import AccessLimits, Directory, Letters, about, letter
from services.identity.commands.secrets import Digests, new_code
from services.identity.domain import access
from services.identity.domain.account import Account, Status
from services.identity.domain.errors import CodeRefused, PasswordWrong
from services.identity.domain.events import AccountEvent
from shared.errors import StreamMoved
from shared.store.aggregates import Aggregates, Decided
from shared.store.records import Context, Mail


class PasswordCommands:
    """Choosing a new password signs out everywhere, and its owner hears of it by mail."""

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

    async def forgot(self, email: str, *, ip: str, context: Context) -> None:
        """Mail a code to the owner of a known address. Raises TooManyAttempts."""
        await self._limits.require((self._rates.per_ip, f"forgot/{ip}"))
        account_id = await self._directory.find_account_id(self._digests.email(email))
        if account_id is None:
            return
        code = new_code()
        digest = self._digests.code("reset", account_id, code)

        def mails(after: Account) -> list[Mail]:
            sent = after.reset is not None and after.reset.digest == digest
            return [*letter(after.email, self._letters.reset(code))] if sent else []

        decision = partial(access.request_reset, code_digest=digest, now=context.now)
        with contextlib.suppress(StreamMoved):  # another code is on its way; the answer must not tell
            await self._accounts.decide(account_id, decision, about(context, account_id), mails=mails)

    async def reset(self, email: str, code: str, password: str, *, ip: str, context: Context) -> None:
        """Choose a new password with a mailed code. Raises CodeRefused, PasswordTooWeak, TooManyAttempts."""
        email_digest = self._digests.email(email)
        await self._limits.require((self._rates.per_ip, f"code/{ip}"), (self._rates.per_account, f"code/{email_digest}"))
        account_id = await self._directory.find_account_id(email_digest) or ""
        known = (await self._accounts.load(account_id)).state if account_id else Account("")
        digest = self._digests.code("reset", account_id, code)
        # The name counts as known only to whoever holds the code: else a refusal of a password would tell it to anybody.
        opens = access.opens_reset(known, code_digest=digest, now=context.now)
        password_hash = await self._passwords.hash(password, (email, str(known.name)) if opens else (email,))
        if not account_id:
            raise CodeRefused
        decision = partial(access.reset_password, code_digest=digest, password_hash=password_hash, now=context.now)
        told = partial(self._told, password_hash)
        try:
            decided = await self._accounts.decide(account_id, decision, about(context, account_id), mails=told)
        except StreamMoved:  # others try codes at the same moment and are counted; the answer must not tell
            raise CodeRefused from None
        if decided.state.password_hash != password_hash:
            raise CodeRefused

    async def change(self, account_id: str, *, current: str, new: str, context: Context) -> Decided[Account]:
        """Take a new password from whoever knows the present one. Raises PasswordWrong, PasswordTooWeak."""
        state = (await self._accounts.load(account_id)).state
        if not await self._passwords.matches(state.password_hash, current):
            await self._accounts.decide(account_id, partial(access.reject, now=context.now), context)
            raise PasswordWrong
        password_hash = await self._passwords.hash(new, (str(state.email), str(state.name)), pointer="/new_password")
        decision = partial(access.change_password, password_hash=password_hash, now=context.now)
        return await self._accounts.decide(account_id, decision, context, mails=partial(self._told, password_hash))

    def _told(self, password_hash: str, after: Account) -> list[Mail]:
        changed = after.status is Status.ACTIVE and after.password_hash == password_hash
        return [*letter(after.email, self._letters.password_changed())] if changed else []
