"""The texts of identity's mails, and the sending of what waits in the outbox."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from typing import Final, Literal, TypeAlias

import aiosmtplib
import structlog

from services.identity.domain.account import CODE_MINUTES
from shared.ids import made_at
from shared.store.mailbox import Mailbox
from shared.store.records import Mail
from shared.wake import Wake

_BACK_OFF: Final = (1.0, 60.0)  # seconds between attempts while the server cannot be used: at first and at most
_KEPT: Final = 86_400.0  # seconds; a night without a mail server costs no notice, and no address stays here for longer
_PERMANENT: Final = 500
_OF_THE_MAIL: Final = (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError)  # and not of the server: the next mail may be taken
_POLL: Final = 1.0
_TIMEOUT: Final = 5.0  # below the database's own limit for an idle transaction, which holds the claim on the mail
Tls: TypeAlias = Literal["auto", "starttls", "implicit", "none"]
_log = structlog.get_logger()


class Texts:
    """Plain text, no link to click: whoever gets a mail that he did not ask for need do nothing."""

    def verification(self, code: str, *, contested: bool) -> tuple[str, str]:
        """To an address that somebody registered; `contested` when it was more than once, with different passwords."""
        again = (
            "This address was registered more than once, with different passwords. So that only you choose the one that counts, none of"
            " them does: after the code, ask for a new password where you sign in.\n\n"
        )
        return "Your Latchkey code", (
            f"Your code is {code}. It is good once, for {CODE_MINUTES} minutes.\n\n{again if contested else ''}"
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
    """Where mails are handed over, whom they come from, and who we are there. With a user TLS is a must, unless `tls` is "none"."""

    host: str
    port: int
    mail_from: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "auto"
    ca_file: str = ""

    async def hand_over(self, message: EmailMessage, to: str) -> None:
        """Give one message for one recipient to the server. Raises what SMTP raises, and anything else for what cannot be written."""
        message["From"] = self.mail_from
        sender = parseaddr(self.mail_from)[1]
        start = {"starttls": True, "none": False, "implicit": False, "auto": True if self.user else None}[self.tls]
        context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
        async with asyncio.timeout(_TIMEOUT):
            await aiosmtplib.send(
                message, sender=sender, recipients=[to], hostname=self.host, port=self.port, timeout=_TIMEOUT,
                username=self.user or None, password=self.password or None,
                use_tls=self.tls == "implicit", start_tls=start, tls_context=context,
            )  # fmt: skip


class Postman:
    """Takes waiting mails to the SMTP server, those first that are due longest.

    A mail that the server does not take now is tried again after as long as it has waited so far, and given up after a day, or at once when
    it is refused for ever or cannot be written. Only when the server itself failed do all wait.
    """

    def __init__(self, mailbox: Mailbox, server: SmtpServer, wake: Wake, clock: Callable[[], float] = time.time) -> None:
        self._mailbox, self._server, self._wake, self._clock = mailbox, server, wake, clock
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
                _log.warning("the mail server cannot be used", error=type(error).__name__, again_in_seconds=pause)
                wait, pause = pause, min(2 * pause, _BACK_OFF[1])
            if wait:
                await self._wake.wait(wait)  # a new mail may go to somebody whose server takes it

    async def deliver_one(self) -> bool:
        """Send the mail that is due longest and delete it; false when none is due. Raises when the server itself failed; the mail waits."""
        mail: Mail | None = None
        try:
            async with self._mailbox.next() as mail:
                if mail is None:
                    return False
                await self._deliver(mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            if mail is not None:
                self.failures += 1
                taken_later = isinstance(error, _OF_THE_MAIL)
                await self._mailbox.postpone(mail.id, max(self._waited(mail), _BACK_OFF[0]) if taken_later else 0.0)
                if taken_later:
                    return True
            raise
        return True

    async def _deliver(self, mail: Mail) -> None:
        """Returns when the mail need not be kept."""
        try:
            await self._server.hand_over(_written(mail), mail.to)
        except Exception as error:
            if not _for_ever(error) and self._waited(mail) < _KEPT:
                raise
            self.given_up += 1
            _log.warning("a mail is given up", mail_id=mail.id, error=type(error).__name__)
        else:
            self.sent += 1

    def _waited(self, mail: Mail) -> float:
        """Seconds since the mail was written."""
        return self._clock() - made_at(mail.id).timestamp()


def _written(mail: Mail) -> EmailMessage:
    if "=?" in mail.to:  # from before such addresses were refused: headers and servers decode it, into the address of somebody else
        raise ValueError("an address with an encoded word")
    message = EmailMessage()
    message["To"], message["Subject"] = mail.to, mail.subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(idstring=mail.id, domain="latchkey")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    return message


def _waited(mail: Mail) -> float:
    """Seconds since the mail was written."""
    return time.time() - made_at(mail.id).timestamp()


def _for_ever(error: Exception) -> bool:
    """Whether another attempt would meet the same: a refusal 5yz (RFC 5321), or anything that neither SMTP nor the network raises."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=refused):
            return all(one.code >= _PERMANENT for one in refused)
        case aiosmtplib.SMTPDataError(code=code):
            return code >= _PERMANENT
        case aiosmtplib.SMTPNotSupported():  # an address beyond ASCII, and a server that does not take such
            return True
        case _:
            return not isinstance(error, (aiosmtplib.SMTPException, OSError))
