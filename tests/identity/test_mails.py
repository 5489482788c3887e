"""Mails leave once their events are committed, by SMTP, and then their rows are gone."""

import asyncio
import email
import email.policy
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.identity.mail import Postman, SmtpServer
from services.identity.settings import PREFIX, Settings
from services.identity.wiring import smtp_server
from shared.ids import new_id
from shared.settings import SettingsWrong
from shared.store.postgres import mail_cipher
from shared.wake import LocalWake
from stack.testing import RealStack
from tests.identity.person import Identity
from tests.identity.processes import environment

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
async def serving(handler: Refusing, **options: Any) -> AsyncIterator[SmtpServer]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="localhost", loop=loop, **options), "127.0.0.1", 0)
    async with server:
        yield SmtpServer("127.0.0.1", server.sockets[0].getsockname()[1], FROM)


async def waiting(identity: Identity) -> int:
    count: int = await identity.db.fetchval("SELECT count(*) FROM es.mail_outbox")
    return count


async def put(identity: Identity, to: str) -> None:
    """A mail that waits for this address."""
    mail_id, cipher = new_id("mail"), mail_cipher(identity.settings.master_key)
    sealed = [cipher.seal(text.encode(), f"{mail_id}/{part}") for part, text in (("to", to), ("body", '["Your code", "The code."]'))]
    await identity.db.execute("INSERT INTO es.mail_outbox (id, to_enc, body_enc, created_at) VALUES ($1, $2, $3, now())", mail_id, *sealed)


def after(hours: float) -> float:
    """A clock that is so much ahead."""
    return time.time() + 3_600 * hours


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for 127.0.0.1 that is its own authority: `cert.pem`."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    (folder / "cert.pem").write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def due(identity: Identity) -> None:
    """Whatever waits may be tried now."""
    await identity.db.execute("UPDATE es.mail_outbox SET created_at = now()")


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


async def test_a_recipient_refused_for_ever_is_given_up_and_one_refused_for_now_holds_up_no_other(identity: Identity) -> None:
    people = [await identity.register() for _ in range(3)]
    handler = Refusing("550 no such mailbox", "450 try later")
    async with serving(handler) as server:
        postman = Postman(identity.outbox, server, LocalWake())
        assert await postman.deliver_one()
        assert (postman.given_up, await waiting(identity)) == (1, 2)
        assert await postman.deliver_one()
        assert (postman.failures, await waiting(identity)) == (1, 2)
        assert await postman.deliver_one()
        assert handler.taken == [people[2].email]
        assert not await postman.deliver_one()  # the one that is left is not due yet
        await due(identity)
        assert await postman.deliver_one()
    assert handler.taken == [people[2].email, people[1].email]


async def test_a_mail_that_nobody_takes_is_given_up_after_a_day_and_the_log_tells_no_address(
    identity: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    person = await identity.register()
    async with serving(Refusing("450 try later", "450 try later")) as server:
        early, late = (Postman(identity.outbox, server, LocalWake(), partial(after, hours)) for hours in (23, 25))
        assert await early.deliver_one()
        assert (early.given_up, await waiting(identity)) == (0, 1)
        await due(identity)
        assert await late.deliver_one()
    assert (late.given_up, late.sent, await waiting(identity)) == (1, 0, 0)
    printed = capsys.readouterr().out
    assert "given up" in printed
    assert person.email not in printed


async def test_a_mail_that_cannot_be_written_is_given_up_and_the_next_one_leaves(identity: Identity) -> None:
    """Nothing goes to an encoded word, which once could be registered: it decodes to a NUL, or to somebody else's address."""
    beyond_ascii = "j\u00f6rg@example.com"  # this server takes none
    for odd in ("=?utf-8?q?=00?=@example.com", "=?utf-8?q?victim?=@example.com", beyond_ascii):
        await put(identity, odd)
    good = await identity.register()
    handler = Refusing()
    async with serving(handler) as server:
        postman = Postman(identity.outbox, server, LocalWake())
        while await postman.deliver_one():
            pass
    assert (postman.given_up, handler.taken) == (3, [good.email])


async def test_a_server_that_wants_to_know_who_we_are_is_told(identity: Identity) -> None:
    await identity.register()
    heard: list[bytes] = []

    def known(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, told: Any) -> AuthResult:
        heard.append(told.password)
        return AuthResult(success=(told.login, told.password) == (b"latchkey", b"a long secret"), handled=False)

    handler = Refusing()
    async with serving(handler, authenticator=known, auth_require_tls=False) as server:
        told = replace(server, user="latchkey", tls="none")
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await Postman(identity.outbox, replace(told, password="another secret"), LocalWake()).deliver_one()
        assert await Postman(identity.outbox, replace(told, password="a long secret"), LocalWake()).deliver_one()
    assert (len(handler.taken), heard[-1]) == (1, b"a long secret")


async def test_a_password_is_not_sent_in_the_clear(identity: Identity) -> None:
    await identity.register()
    handler = Refusing()
    async with serving(handler, auth_require_tls=False) as server:
        with pytest.raises(aiosmtplib.SMTPException, match="STARTTLS"):
            await Postman(identity.outbox, replace(server, user="latchkey", password="a long secret"), LocalWake()).deliver_one()
    assert await waiting(identity) == 1


async def test_a_certificate_is_checked_against_the_authority_that_is_named(identity: Identity, tmp_path: Path) -> None:
    await identity.register()
    handler = Refusing()
    async with serving(handler, tls_context=self_signed(tmp_path)) as server:
        with pytest.raises((aiosmtplib.SMTPException, OSError)):
            await Postman(identity.outbox, server, LocalWake()).deliver_one()
        assert await Postman(identity.outbox, replace(server, ca_file=str(tmp_path / "cert.pem")), LocalWake()).deliver_one()
    assert len(handler.taken) == 1


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


@pytest.mark.parametrize("one", ["SMTP_USER", "SMTP_PASSWORD"])
def test_a_user_and_a_password_go_together_and_the_password_is_never_shown(settings: Settings, one: str, tmp_path: Path) -> None:
    told = environment(settings)
    with pytest.raises(SettingsWrong, match="IDENTITY_SMTP_PASSWORD: goes with SMTP_USER"):
        Settings.from_env(PREFIX, told | {f"IDENTITY_{one}": "a long secret"})
    (tmp_path / "password").write_text("a long secret\n")
    del told["IDENTITY_SMTP_PASSWORD"]
    both = Settings.from_env(PREFIX, told | {"IDENTITY_SMTP_USER": "latchkey", "IDENTITY_SMTP_PASSWORD_FILE": str(tmp_path / "password")})
    assert both.smtp_password == "a long secret"
    assert "a long secret" not in f"{both!r} {smtp_server(both)!r}"
