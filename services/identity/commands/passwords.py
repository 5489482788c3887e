"""What can be done about a password: forget it, choose another with a mailed code, change it."""

import contextlib
from collections.abc import Sequence
from functools import partial

from services.identity.commands.limits import network_of
from services.identity.commands.ports import Desk, about, code_letter, letter
from services.identity.commands.secrets import new_code
from services.identity.domain import access
from services.identity.domain.account import Account, Status
from services.identity.domain.errors import CodeRefused, PasswordWrong
from services.identity.domain.events import AccountEvent
from shared.errors import StreamMoved
from shared.store.aggregates import Aggregates, Decided
from shared.store.records import Context, Mail


class PasswordCommands:
    """Choosing a new password signs out everywhere, and its owner hears of it by mail."""

    def __init__(self, accounts: Aggregates[Account, AccountEvent], desk: Desk) -> None:
        self._accounts, self._desk = accounts, desk

    async def forgot(self, email: str, *, ip: str, context: Context) -> None:
        """Mail a code to the owner of a known address. Raises TooManyAttempts."""
        await self._desk.count("forgot", ip)
        account_id = await self._desk.find(email)
        if account_id is None:
            return
        code = new_code()
        digest = self._desk.digests.code("reset", account_id, code)

        def mails(after: Account) -> Sequence[Mail]:
            return code_letter(after.reset, digest, after.email, self._desk.letters.reset(code))

        decision = partial(access.request_reset, code_digest=digest, now=context.now)
        with contextlib.suppress(StreamMoved):  # another code is on its way; the answer must not tell
            await self._accounts.decide(account_id, decision, about(context, account_id), mails=mails)

    async def reset(self, email: str, code: str, password: str, *, ip: str, context: Context) -> None:
        """Choose a new password with a mailed code. Raises CodeRefused, PasswordTooWeak, TooManyAttempts."""
        await self._desk.count("code", ip, email=email)
        await self._desk.count_new_password(network_of(ip))
        account_id = await self._desk.find(email) or ""
        known = (await self._accounts.load(account_id)).state if account_id else Account("")
        digest = self._desk.digests.code("reset", account_id, code)
        # The name counts as known only to whoever holds the code: else a refusal of a password would tell it to anybody.
        opens = access.opens_reset(known, code_digest=digest, now=context.now)
        password_hash = await self._desk.passwords.hash(password, (email, str(known.name)) if opens else (email,))
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
        """Take a new password from whoever knows the present one. Raises PasswordWrong, PasswordTooWeak, TooManyAttempts."""
        state = (await self._accounts.load(account_id)).state
        right = await self._desk.passwords.matches(state.password_hash, current)
        # While locked nothing is told, not even that the new password is weak, which only who knows the present one gets to hear.
        if not right or access.is_locked(state, context.now):
            with contextlib.suppress(StreamMoved):  # other guesses at the same moment are counted
                await self._accounts.decide(account_id, partial(access.reject, now=context.now), context)
            raise PasswordWrong
        await self._desk.count_new_password(account_id)
        password_hash = await self._desk.passwords.hash(new, (str(state.email), str(state.name)), pointer="/new_password")
        decision = partial(access.change_password, checked=state.password_hash, password_hash=password_hash, now=context.now)
        return await self._accounts.decide(account_id, decision, context, mails=partial(self._told, password_hash))

    def _told(self, password_hash: str, after: Account) -> Sequence[Mail]:
        changed = after.status is Status.ACTIVE and after.password_hash == password_hash
        return letter(after.email, self._desk.letters.password_changed()) if changed else ()
