"""The texts of identity's mails, and the sending of what waits in the outbox."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

import aiosmtplib
import structlog

from services.identity.domain.account import CODE_MINUTES
from shared.store.mailbox import Mailbox
from shared.store.records import Mail
from shared.wake import Wake

_BACK_OFF: Final = (1.0, 60.0)  # seconds between attempts while the server does not take a mail: at first and at most
_POLL: Final = 1.0
_TIMEOUT: Final = 5.0  # below the database's own limit for an idle transaction, which holds the claim on the mail
_log = structlog.get_logger()


class Texts:
    """Plain text, no link to click: whoever gets a mail that he did not ask for need do nothing."""

    def verification(self, code: str) -> tuple[str, str]:
        """To an address that somebody registered."""
        return "Your Latchkey code", (
            f"Your code is {code}. It is good once, for {CODE_MINUTES} minutes.\n\n"
            "Enter it where you registered, to show that this address is yours. If you did not register at Latchkey just now, do not enter"
            " or pass on the code, and nothing will happen.\n"
        )

    def already_registered(self) -> tuple[str, str]:
        """To the owner of an address that somebody tried to register again."""
        return "You have a Latchkey account", (
            "Somebody, perhaps you, tried to register this address at Latchkey. It has an account already: sign in with it,"
            " or ask for a new password. Nothing was changed.\n"
        )

    def reset(self, code: str) -> tuple[str, str]:
        """To the owner of an account whose password was forgotten."""
        return "Choose a new Latchkey password", (
            f"Your code is {code}. It is good once, for {CODE_MINUTES} minutes.\n\n"
            "Enter it to choose a new password. If you did not ask for it, do not pass it on; your password stays as it is.\n"
        )

    def password_changed(self) -> tuple[str, str]:
        """After a change or a reset."""
        return "Your Latchkey password was changed", (
            "The password of your Latchkey account was changed and you were signed out everywhere. If that was not you, ask for a new"
            " password at once.\n"
        )

    def erased(self) -> tuple[str, str]:
        """The last mail to an address."""
        return "Your Latchkey account was erased", (
            "Your Latchkey account and what it said about you were erased. This was the last mail to this address.\n"
        )


@dataclass(frozen=True)
class SmtpServer:
    """Where mails are handed over, and whom they come from."""

    host: str
    port: int
    mail_from: str


class Postman:
    """Takes waiting mails to the SMTP server, oldest first. A mail that the server refuses for ever is given up; any other waits."""

    def __init__(self, mailbox: Mailbox, server: SmtpServer, wake: Wake) -> None:
        self._mailbox, self._server, self._wake = mailbox, server, wake
        self.sent = self.given_up = self.failures = 0

    def figures(self) -> Mapping[str, float]:
        """For `/metrics`."""
        return {"mails_sent": self.sent, "mails_given_up": self.given_up, "mail_failures": self.failures}

    async def run(self) -> None:
        """Send for ever."""
        pause = _BACK_OFF[0]
        while True:
            try:
                wait = 0.0 if await self.deliver_one() else _POLL
                pause = _BACK_OFF[0]
            except (aiosmtplib.SMTPException, OSError) as error:
                self.failures += 1
                _log.warning("a mail could not be handed over", error=type(error).__name__, again_in_seconds=pause)
                wait, pause = pause, min(2 * pause, _BACK_OFF[1])
            if wait:
                await self._wake.wait(wait)  # a new mail may go to somebody whose server takes it

    async def deliver_one(self) -> bool:
        """Send the oldest mail and delete it; false when none waits. Raises what SMTP raises; the mail waits then, behind all others."""
        mail: Mail | None = None
        try:
            async with self._mailbox.next() as mail:
                if mail is None:
                    return False
                await self._deliver(mail)
        except (aiosmtplib.SMTPException, OSError):
            if mail is not None:
                await self._mailbox.postpone(mail.id)
            raise
        return True

    async def _deliver(self, mail: Mail) -> None:
        try:
            await self._send(mail)
            self.sent += 1
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError) as refused:
            if not _for_ever(refused):
                raise
            self.given_up += 1
            _log.warning("a mail was refused for ever and is given up", mail_id=mail.id, error=type(refused).__name__)

    async def _send(self, mail: Mail) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._server.mail_from, mail.to, mail.subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(idstring=mail.id, domain="latchkey")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.body)
        async with asyncio.timeout(_TIMEOUT):
            await aiosmtplib.send(message, hostname=self._server.host, port=self._server.port, timeout=_TIMEOUT)


def _for_ever(refused: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError) -> bool:
    codes = [one.code for one in refused.recipients] if isinstance(refused, aiosmtplib.SMTPRecipientsRefused) else [refused.code]
    return all(code >= 500 for code in codes)  # noqa: PLR2004  # RFC 5321: 5yz is a permanent refusal
