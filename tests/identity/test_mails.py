"""Mails leave once their events are committed, by SMTP, and then their rows are gone."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP

from services.identity.mail import Postman, SmtpServer
from shared.wake import LocalWake
from stack.testing import RealStack
from tests.identity.person import Identity

pytestmark = pytest.mark.stack
FROM = "Latchkey <noreply@latchkey.localhost>"


class Refusing:
    """What a mail server says to each recipient in turn, and afterwards 250."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.taken: list[str] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802  # aiosmtpd's name
        answer = self._answers.pop(0) if self._answers else "250 OK"
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.taken += envelope.rcpt_tos
        return "250 OK"


@asynccontextmanager
async def serving(handler: Refusing) -> AsyncIterator[SmtpServer]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="localhost", loop=loop), "127.0.0.1", 0)
    async with server:
        yield SmtpServer("127.0.0.1", server.sockets[0].getsockname()[1], FROM)


async def waiting(identity: Identity) -> int:
    count: int = await identity.db.fetchval("SELECT count(*) FROM es.mail_outbox")
    return count


async def test_the_mail_of_a_registration_arrives_whole(identity: Identity, stack: RealStack) -> None:
    person = await identity.register()
    server = SmtpServer(identity.settings.smtp_host, identity.settings.smtp_port, FROM)
    assert await Postman(identity.outbox, server, LocalWake()).deliver_one()
    assert await waiting(identity) == 0
    sent = [await asyncio.to_thread(file.read_bytes) for file in sorted(stack.mail_directory.glob("*.eml"))]
    mails = [email.message_from_bytes(raw, policy=email.policy.default) for raw in sent]
    [mail] = [mail for mail in mails if mail["to"] == person.email]
    assert (mail["from"], mail["subject"], mail["auto-submitted"]) == (FROM, "Your Latchkey code", "auto-generated")
    body = mail.get_body()
    assert body is not None
    code = str(body.get_content()).split()[3].rstrip(".")
    assert (await identity.post("/v1/accounts/verify", {"email": person.email, "code": code})).status_code == 200


async def test_a_mail_waits_sealed_and_in_the_transaction_of_its_events(identity: Identity) -> None:
    person = await identity.register()
    [row] = await identity.db.fetch("SELECT to_enc, body_enc, xmin::text AS tx FROM es.mail_outbox")
    events = await identity.db.fetch("SELECT DISTINCT xmin::text AS tx FROM es.events")
    assert [event["tx"] for event in events] == [row["tx"]]
    assert person.email.encode() not in bytes(row["to_enc"])
    assert b"code" not in bytes(row["body_enc"])


async def test_a_command_that_is_refused_mails_nothing(identity: Identity) -> None:
    await identity.post("/v1/accounts", {"email": "ann@example.com", "password": "password1", "name": "Ann"})
    assert await waiting(identity) == 0


async def test_a_server_that_is_away_costs_no_mail(identity: Identity, unused_tcp_port_factory: Callable[[], int]) -> None:
    await identity.register()
    away = Postman(identity.outbox, SmtpServer("127.0.0.1", unused_tcp_port_factory(), FROM), LocalWake())
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await away.deliver_one()
    assert await waiting(identity) == 1
    handler = Refusing()
    async with serving(handler) as server:
        assert await Postman(identity.outbox, server, LocalWake()).deliver_one()
    assert len(handler.taken) == 1
    assert await waiting(identity) == 0


async def test_a_recipient_refused_for_ever_is_given_up_and_one_refused_for_now_waits_behind_the_others(identity: Identity) -> None:
    people = [await identity.register() for _ in range(3)]
    handler = Refusing("550 no such mailbox", "450 try later")
    async with serving(handler) as server:
        postman = Postman(identity.outbox, server, LocalWake())
        assert await postman.deliver_one()
        assert (postman.given_up, await waiting(identity)) == (1, 2)
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await postman.deliver_one()
        assert await waiting(identity) == 2
        assert await postman.deliver_one()
        assert await postman.deliver_one()
        assert not await postman.deliver_one()
    assert handler.taken == [people[2].email, people[1].email]


async def test_the_postman_goes_on_after_failures(identity: Identity) -> None:
    await identity.register()
    handler = Refusing("450 try later")
    async with serving(handler) as server:
        postman = Postman(identity.outbox, server, LocalWake())
        running = asyncio.create_task(postman.run())
        for _ in range(100):
            if postman.sent:
                break
            await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (postman.failures, postman.sent, len(handler.taken)) == (1, 1, 1)
    assert postman.figures() == {"mails_sent": 1, "mails_given_up": 0, "mail_failures": 1}
