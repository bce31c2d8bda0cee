"""SMTP against relays that behave and relays that do not, all on loopback."""

from __future__ import annotations

import asyncio
import email
import email.policy
import gc
import ssl
from contextlib import suppress
from dataclasses import replace
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
import trustme

from monitor.errors import InputError
from monitor.mail.delivery.smtp import Security, SmtpTransport, helo_name, is_loopback
from monitor.mail.delivery.transport import TransportError
from monitor.mail.message import Message
from tests.mail.smtp_relays import Relay, RelayScript, ScriptedRelay, in_thread

if TYPE_CHECKING:
    from pathlib import Path

TO, SECOND, NOC = "it@acme.example", "boss@acme.example", "noc@example.com"
MAIL = Message(
    sender="SLA <sla@example.com>",
    to=(TO, SECOND),
    bcc=(NOC,),
    subject="KESİNTİ web-01 (ping)",
    text="Kesinti\n.\n..\nson\n",
    html="<p>Kesinti</p>\n",
    message_id="<first@example.com>",
    references=(),
    date=1_790_763_300_000,
    language="tr",
)
SECRET = "hünkârbeğendi-42"
VERIFIED = "127.1"
"""Resolves to 127.0.0.1, but by its name it is any host: its certificate is verified."""


class Authority:
    """A certificate authority and the contexts of the relays that it certifies."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.file)

    def context(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def clear(port: int, *, timeout: float = 5.0, deadline: float = 30.0) -> SmtpTransport:
    return SmtpTransport("127.0.0.1", port, "none", timeout=timeout, deadline=deadline)


def encrypting(security: Security, context: ssl.SSLContext) -> Relay:
    return Relay(starttls=context) if security == "starttls" else Relay(tls=context)


async def failure(transport: SmtpTransport, mail: Message = MAIL) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.send(mail, mail.recipients)
    return caught.value


async def test_a_mail_reaches_every_recipient_through_the_envelope() -> None:
    async with Relay() as relay:
        receipt = await clear(relay.port).send(MAIL, MAIL.recipients)
    assert receipt.reply == "250 2.0.0 Ok: queued as 4711"
    assert (dict(receipt.refused_permanently), dict(receipt.refused_temporarily)) == ({}, {})
    [received] = relay.mails
    assert received.sender == "sla@example.com"
    assert received.recipients == (TO, SECOND, NOC)
    parsed = email.message_from_bytes(received.content, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert parsed["Subject"] == MAIL.subject
    assert parsed["To"] == f"{TO}, {SECOND}"
    assert parsed["Bcc"] is None
    assert NOC.encode() not in received.content
    body = parsed.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == MAIL.text


async def test_only_those_who_do_not_have_it_yet_get_a_repeat() -> None:
    async with Relay() as relay:
        await clear(relay.port).send(MAIL, (SECOND,))
    assert relay.mails[0].recipients == (SECOND,)
    assert b"To: it@acme.example, boss@acme.example\r\n" in relay.mails[0].content


async def test_starttls_encrypts_and_logs_in(authority: Authority) -> None:
    async with Relay(starttls=authority.context(VERIFIED), login=("sla", SECRET)) as relay:
        transport = SmtpTransport(VERIFIED, relay.port, "starttls", "sla", lambda: SECRET, ca_file=authority.file)
        await transport.send(MAIL, MAIL.recipients)
    assert (relay.mails[0].encrypted, relay.mails[0].user) == (True, "sla")


async def test_tls_from_the_first_byte_works_too(authority: Authority) -> None:
    async with Relay(tls=authority.context(VERIFIED)) as relay:
        await SmtpTransport(VERIFIED, relay.port, "tls", ca_file=authority.file).send(MAIL, MAIL.recipients)
    assert relay.mails[0].encrypted


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_relay_on_this_machine_needs_no_certified_name(authority: Authority, security: Security) -> None:
    context = authority.context("mail.example.com")
    async with encrypting(security, context) as relay:
        await SmtpTransport("127.0.0.1", relay.port, security).send(MAIL, MAIL.recipients)
    assert relay.mails[0].encrypted


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["authority", "name"])
async def test_any_other_relay_must_be_certified(
    authority: Authority, tmp_path: Path, security: Security, fault: str
) -> None:
    trusted = authority if fault == "name" else Authority(tmp_path)
    context = authority.context("mail.example.com" if fault == "name" else VERIFIED)
    async with encrypting(security, context) as relay:
        error = await failure(SmtpTransport(VERIFIED, relay.port, security, ca_file=trusted.file))
    assert not error.permanent
    assert "certificate verify failed" in error.text.lower()
    assert relay.mails == []


async def test_starttls_that_is_not_offered_never_falls_back_to_clear_text() -> None:
    async with ScriptedRelay(RelayScript()) as relay:
        error = await failure(SmtpTransport("127.0.0.1", relay.port, "starttls", "sla", lambda: SECRET))
    assert not error.permanent
    assert "STARTTLS" in error.text
    assert {line.split()[0] for line in relay.lines} == {"EHLO"}


async def test_starttls_that_is_refused_never_falls_back_to_clear_text() -> None:
    script = RelayScript(answers={"EHLO": "250-relay.test\r\n250 STARTTLS", "STARTTLS": "454 4.7.0 not now"})
    async with ScriptedRelay(script) as relay:
        error = await failure(SmtpTransport("127.0.0.1", relay.port, "starttls", "sla", lambda: SECRET))
    assert not error.permanent
    assert "454" in error.text
    assert {line.split()[0] for line in relay.lines} == {"EHLO", "STARTTLS"}


async def test_a_password_never_goes_over_the_network_in_clear() -> None:
    async with ScriptedRelay(RelayScript()) as relay:
        error = await failure(SmtpTransport(VERIFIED, relay.port, "none", "sla", lambda: SECRET))
    assert 'security = "none"' in error.text
    assert relay.connections == 0


async def test_a_wrong_password_waits_to_be_mended_and_is_not_told(authority: Authority) -> None:
    async with Relay(starttls=authority.context("x"), login=("sla", "another")) as relay:
        error = await failure(SmtpTransport("127.0.0.1", relay.port, "starttls", "sla", lambda: SECRET))
    assert not error.permanent
    assert error.text.startswith(f"relay 127.0.0.1:{relay.port}: login as sla: 535 ")
    assert SECRET not in error.text
    assert relay.mails == []


async def test_a_relay_that_repeats_the_password_does_not_get_it_into_the_error() -> None:
    answers = {"EHLO": "250-relay.test\r\n250 AUTH PLAIN", "AUTH": "535 no: open-sesame is wrong"}
    async with ScriptedRelay(RelayScript(answers=answers)) as relay:
        error = await failure(SmtpTransport("127.0.0.1", relay.port, "none", "sla", lambda: "open-sesame"))
    assert "535 no: *** is wrong" in error.text
    cause: BaseException | None = error
    while cause is not None:
        assert "open-sesame" not in repr(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


async def test_a_password_that_cannot_be_read_waits_to_be_mended() -> None:
    def missing() -> str:
        raise InputError("password_file /etc/monitor/smtp-password: no such file")

    answers = {"EHLO": "250-relay.test\r\n250 AUTH PLAIN"}
    async with ScriptedRelay(RelayScript(answers=answers)) as relay:
        error = await failure(SmtpTransport("127.0.0.1", relay.port, "none", "sla", missing))
    assert not error.permanent
    assert error.text.endswith("login as sla: password_file /etc/monitor/smtp-password: no such file")


async def test_a_changed_password_takes_effect_with_the_next_mail(authority: Authority) -> None:
    passwords = ["wrong", "right"]
    async with Relay(starttls=authority.context("x"), login=("sla", "right")) as relay:
        transport = SmtpTransport("127.0.0.1", relay.port, "starttls", "sla", lambda: passwords.pop(0))
        assert "535" in (await failure(transport)).text
        await transport.send(MAIL, MAIL.recipients)
    assert len(relay.mails) == 1


def test_no_password_shows_in_a_transport_that_is_printed() -> None:
    assert SECRET not in repr(SmtpTransport("127.0.0.1", 25, "none", "sla", lambda: SECRET))
    assert "password" not in repr(SmtpTransport("127.0.0.1", 25, "none", "sla", lambda: SECRET))


async def test_a_login_that_is_not_offered_waits_to_be_mended() -> None:
    async with ScriptedRelay(RelayScript()) as relay:
        error = await failure(SmtpTransport("127.0.0.1", relay.port, "none", "sla", lambda: SECRET))
    assert not error.permanent
    assert "login as sla" in error.text


async def test_recipients_are_refused_one_by_one() -> None:
    async with Relay() as relay:
        relay.replies = {TO: "550 5.1.1 no such user", NOC: "451 4.3.0 try later"}
        receipt = await clear(relay.port).send(MAIL, MAIL.recipients)
    assert relay.mails[0].recipients == (SECOND,)
    assert dict(receipt.refused_permanently) == {TO: "550 5.1.1 no such user"}
    assert dict(receipt.refused_temporarily) == {NOC: "451 4.3.0 try later"}


async def test_a_mail_that_everyone_refuses_for_good_is_dead() -> None:
    async with Relay() as relay:
        relay.replies = dict.fromkeys(MAIL.recipients, "550 5.1.1 no such user")
        error = await failure(clear(relay.port))
    assert error.permanent
    assert dict(error.refused) == relay.replies
    assert f"{TO}: 550 5.1.1 no such user" in error.text


async def test_a_mail_that_someone_may_still_take_is_not_dead() -> None:
    async with Relay() as relay:
        relay.replies = {TO: "550 5.1.1 no", SECOND: "452 4.5.3 too many", NOC: "550 5.1.1 no"}
        error = await failure(clear(relay.port))
    assert not error.permanent
    assert dict(error.refused) == {TO: "550 5.1.1 no", NOC: "550 5.1.1 no"}


@pytest.mark.parametrize(
    "reply",
    [
        "530 5.7.0 Authentication required",
        "503 5.5.1 Error: need EHLO",
        "554 5.7.1 Relay access denied",
        "552 5.2.2 Mailbox over quota",
        "550 5.1.8 Sender domain not found",
        "550 Sender verify failed",
        "550 relaying denied",
    ],
)
async def test_a_refusal_that_is_about_us_is_not_held_against_a_recipient(reply: str) -> None:
    async with Relay() as relay:
        relay.replies = dict.fromkeys(MAIL.recipients, reply)
        error = await failure(clear(relay.port))
    assert not error.permanent
    assert dict(error.refused) == {}


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [
        ("451 4.3.0 queue file write error", False),
        ("452 4.3.1 insufficient storage", False),
        ("550 5.7.1 message content rejected", False),
        ("552 5.2.2 over quota", False),
        ("550 5.1.8 sender address rejected", False),
        ("554 Transaction failed: daily quota exceeded", False),
        ("550 blocked by our policy", False),
        ("554 5.0.0 Sender not allowed", False),
        ("554 Transaction failed", True),
        ("550 5.1.1 no such user", True),
        ("552 5.3.4 message too big", True),
        ("554 5.6.0 no", True),
    ],
)
async def test_a_refusal_of_the_content_is_for_good_by_its_code(reply: str, permanent: bool) -> None:  # noqa: FBT001 - a table's column
    async with Relay() as relay:
        relay.data_reply = reply
        error = await failure(clear(relay.port))
    assert error.permanent is permanent
    assert error.text == f"relay 127.0.0.1:{relay.port}: DATA: {reply}"


async def test_content_refused_for_all_is_sent_to_each_recipient_alone() -> None:
    async with Relay() as relay:
        relay.refused_content_of = {SECOND: "554 5.6.0 no", NOC: "550 5.7.1 policy"}
        receipt = await clear(relay.port).send(MAIL, MAIL.recipients)
    assert [mail.recipients for mail in relay.mails] == [(TO,)]
    assert {address: reply.partition("DATA: ")[2] for address, reply in receipt.refused_permanently.items()} == {
        SECOND: "554 5.6.0 no"
    }
    assert list(receipt.refused_temporarily) == [NOC]


async def test_content_refused_for_the_only_accepted_one_is_not_held_against_the_others() -> None:
    async with Relay() as relay:
        relay.replies = {SECOND: "451 4.3.0 later", NOC: "550 5.1.1 no such user"}
        relay.data_reply = "554 5.6.0 no"
        error = await failure(clear(relay.port))
    assert not error.permanent
    assert set(error.refused) == {TO, NOC}


async def test_who_was_refused_before_the_content_was_is_not_tried_again() -> None:
    async with Relay() as relay:
        relay.replies = {TO: "550 5.1.1 no"}
        relay.data_reply = "451 4.3.0 later"
        error = await failure(clear(relay.port))
    assert not error.permanent
    assert dict(error.refused) == {TO: "550 5.1.1 no"}


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [("451 4.1.8 later", False), ("550 5.7.1 not your address", False), ("552 5.3.4 too big", True)],
)
async def test_a_refused_sender_waits_to_be_mended(reply: str, permanent: bool) -> None:  # noqa: FBT001 - a table's column
    async with Relay() as relay:
        relay.replies = {"sla@example.com": reply}
        error = await failure(clear(relay.port))
    assert error.permanent is permanent
    assert error.text.endswith(f"MAIL: {reply}")


@pytest.mark.parametrize(
    "script",
    [
        RelayScript(greeting=""),
        RelayScript(greeting="421 4.3.2 shutting down"),
        RelayScript(greeting="554 5.7.1 you are on a list"),
        RelayScript(greeting="not SMTP at all"),
        RelayScript(answers={"EHLO": "550 go away", "HELO": "550 go away"}),
        RelayScript(answers={"EHLO": ""}),
        RelayScript(answers={"MAIL": ""}),
        RelayScript(answers={"RCPT": ""}),
        RelayScript(answers={"RCPT": "421 4.4.2 closing"}),
        RelayScript(answers={"DATA": ""}),
        RelayScript(answers={"DATA": "451 no"}),
        RelayScript(answers={"DATA...": ""}),
        RelayScript(answers={"DATA.": ""}),
        RelayScript(answers={"DATA.": "gibberish"}),
        RelayScript(answers={"DATA.": "250" + "-" * 40_000}),
    ],
    ids=lambda script: f"{script.greeting[:20]} {str(script.answers)[:40]}",
)
async def test_a_relay_that_breaks_off_or_down_is_tried_again(script: RelayScript) -> None:
    async with ScriptedRelay(script) as relay:
        error = await failure(clear(relay.port))
    assert not error.permanent
    assert dict(error.refused) == {}
    assert error.text.startswith(f"relay 127.0.0.1:{relay.port}: ")
    assert "\n" not in error.text


async def test_a_relay_that_hangs_up_after_taking_the_mail_has_it() -> None:
    async with ScriptedRelay(RelayScript(answers={"QUIT": ""})) as relay:
        receipt = await clear(relay.port).send(MAIL, MAIL.recipients)
    assert receipt.reply == "250 OK"


async def test_a_relay_that_says_no_farewell_has_the_mail_even_at_the_deadline() -> None:
    async with ScriptedRelay(RelayScript(answers={"QUIT": "silence"})) as relay:
        receipt = await clear(relay.port, timeout=1.5, deadline=1.0).send(MAIL, MAIL.recipients)
    assert receipt.reply == "250 OK"


@pytest.mark.parametrize("verb", ["AUTH", "QUIT"])
@pytest.mark.filterwarnings("error::ResourceWarning")
def test_no_connection_is_left_open_however_deaf_the_relay_is(authority: Authority, verb: str) -> None:
    answers = {"EHLO": "250-relay.test\r\n250 AUTH PLAIN", "AUTH": "535 no" if verb == "AUTH" else "235 yes"}
    relay = ScriptedRelay(RelayScript(answers=answers, stop_reading_after=verb), authority.context("x"))
    with in_thread(relay):
        transport = SmtpTransport("127.0.0.1", relay.port, "tls", "sla", lambda: SECRET)
        with suppress(TransportError):
            asyncio.run(transport.send(MAIL, MAIL.recipients))
        gc.collect()


@pytest.mark.parametrize("verb", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "DATA."])
async def test_a_silent_relay_is_given_up_and_tried_again(verb: str) -> None:
    script = RelayScript(greeting="silence") if verb == "greeting" else RelayScript(answers={verb: "silence"})
    async with ScriptedRelay(script) as relay:
        error = await failure(clear(relay.port, timeout=0.05))
    assert not error.permanent


async def test_a_relay_that_only_drips_is_given_up_at_the_deadline() -> None:
    async with ScriptedRelay(RelayScript(answers={"RCPT": "silence"})) as relay:
        error = await failure(clear(relay.port, deadline=0.05))
    assert not error.permanent
    assert error.text.endswith("the dialogue took too long")


async def test_a_relay_that_is_not_there_is_tried_again() -> None:
    async with ScriptedRelay(RelayScript()) as relay:
        port = relay.port
    error = await failure(clear(port))
    assert not error.permanent
    assert f"relay 127.0.0.1:{port}: connecting: " in error.text


async def test_a_host_that_does_not_resolve_is_tried_again() -> None:
    error = await failure(SmtpTransport("no such host", 25, "none"))
    assert not error.permanent


@pytest.mark.parametrize(
    "mail", [replace(MAIL, to=("nobody",)), replace(MAIL, sender="SLA"), replace(MAIL, bcc=("a b",))]
)
async def test_a_mail_with_what_is_no_address_will_never_leave(mail: Message) -> None:
    async with Relay() as relay:
        error = await failure(clear(relay.port), mail)
    assert error.permanent
    assert "is not an e-mail address" in error.text
    assert relay.mails == []


async def test_letters_beyond_ascii_in_an_address_need_a_relay_that_takes_them() -> None:
    mail = replace(MAIL, to=("müşteri@acme.example", TO))
    async with Relay(smtputf8=True) as relay:
        await clear(relay.port).send(mail, mail.recipients)
    assert relay.mails[0].recipients == ("müşteri@acme.example", TO, NOC)
    assert "To: müşteri@acme.example, it@acme.example\r\n".encode() in relay.mails[0].content
    async with Relay() as relay:
        receipt = await clear(relay.port).send(mail, mail.recipients)
    assert relay.mails[0].recipients == (TO, NOC)
    assert list(receipt.refused_permanently) == ["müşteri@acme.example"]
    assert "SMTPUTF8" in receipt.refused_permanently["müşteri@acme.example"]


async def test_a_domain_beyond_ascii_goes_out_in_its_ascii_form_and_is_reported_as_written() -> None:
    mail = replace(MAIL, to=("info@bücher.example", "x@bücher.example"), bcc=())
    async with Relay() as relay:
        relay.replies = {"x@xn--bcher-kva.example": "550 no"}
        receipt = await clear(relay.port).send(mail, mail.recipients)
    assert relay.mails[0].recipients == ("info@xn--bcher-kva.example",)
    assert list(receipt.refused_permanently) == ["x@bücher.example"]


async def test_ehlo_names_this_machine_properly() -> None:
    async with Relay() as relay:
        await clear(relay.port).send(MAIL, MAIL.recipients)
    assert relay.mails[0].ehlo == helo_name(("127.0.0.1",))


@pytest.mark.parametrize(
    ("hostname", "address", "name"),
    [
        ("mon.example.com", "192.0.2.1", "mon.example.com"),
        ("mon.example.com.", "192.0.2.1", "mon.example.com"),
        ("mon", "192.0.2.1", "[192.0.2.1]"),
        ("", "192.0.2.1", "[192.0.2.1]"),
        ("mön.example.com", "192.0.2.1", "[192.0.2.1]"),
        ("mon_1.example.com", "2001:db8::1", "[IPv6:2001:db8::1]"),
        ("mon", "fe80::1%eth0", "[IPv6:fe80::1]"),
    ],
)
def test_ehlo_says_a_full_name_or_an_address_literal(hostname: str, address: str, name: str) -> None:
    assert helo_name((address, "40000"), hostname) == name


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("192.0.2.1", False),
        ("localhost.example.com", False),
        ("mail.example.com", False),
        ("", False),
    ],
)
def test_only_a_loopback_name_is_this_machine(host: str, here: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_loopback(host) is here
