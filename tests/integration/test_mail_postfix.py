"""Mail over a real Postfix: the submission port with STARTTLS and a login, refusals, a relay that was away."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from monitor.mail.compose import compose
from monitor.mail.content import OutageEnded, OutageMail, OutageStarted, Recipient, ServerEvents
from monitor.mail.delivery.smtp import SmtpTransport
from monitor.mail.delivery.transport import Receipt, TransportError
from monitor.mail.message import Message, new_message_id
from tests.integration.postfix import (
    PASSWORD,
    SIZE_LIMIT,
    USER,
    Postfix,
    network_namespace,
    run_in_namespace,
    skip_reason,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.mail.content import OutageEvent

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "can run")]

START = 1_790_935_200_000  # 2026-10-02 13:00:00 in Istanbul
READER = Recipient("Acme Ltd. Şti.", "tr", "Europe/Istanbul", "https://sla.example.com/")


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with network_namespace() as namespace, Postfix(namespace) as postfix:
        yield postfix


def submission(postfix: Postfix, password: str = PASSWORD) -> SmtpTransport:
    return SmtpTransport(postfix.address, 587, "starttls", USER, lambda: password, ca_file=postfix.ca, timeout=20.0)


def mail(to: tuple[str, ...], bcc: tuple[str, ...] = (), *events: OutageEvent, answers: str = "") -> Message:
    events = events or (OutageStarted("ping", START, "timeout"),)
    letter = compose(OutageMail(READER, (ServerEvents("web-01", events),)))
    return Message(
        sender="İzleme <sla@lab.test>",
        to=to,
        bcc=bcc,
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        message_id=new_message_id("lab.test"),
        references=(answers,) if answers else (),
        date=START,
        language="tr",
    )


def send(postfix: Postfix, message: Message, transport: SmtpTransport | None = None) -> Receipt:
    way = transport or submission(postfix)
    return run_in_namespace(postfix.namespace, way.send(message, message.recipients))


def failure(postfix: Postfix, message: Message, transport: SmtpTransport | None = None) -> TransportError:
    with pytest.raises(TransportError) as caught:
        send(postfix, message, transport)
    return caught.value


def test_a_mail_and_its_answer_arrive_as_they_were_written(postfix: Postfix) -> None:
    down = mail(("it@lab.test",), ("noc@lab.test",))
    rose = OutageEnded("ping", START, START + 450_000, 450_000, 390_000, 510_000, claim_deadline=START + 86_400_000)
    up = mail(("it@lab.test",), ("noc@lab.test",), rose, answers=down.message_id)
    assert "queued as" in send(postfix, down).reply
    postfix.delivered("it", count=1)
    send(postfix, up)
    first, second = postfix.delivered("it", count=2)
    for message, arrived in ((down, first), (up, second)):
        assert arrived["Subject"] == message.subject
        assert arrived["Message-ID"] == message.message_id
        assert arrived["From"] == message.sender
        assert arrived["Auto-Submitted"] == "auto-generated"
        for kind, written in (("plain", message.text), ("html", message.html)):
            body = arrived.get_body((kind,))
            assert body is not None
            assert body.get_content() == written
    assert first["Subject"] == "KESİNTİ web-01 (ping)"
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
    copies = postfix.delivered("noc", count=2)
    assert [copy["To"] for copy in copies] == ["it@lab.test", "it@lab.test"]
    assert all(copy["Bcc"] is None for copy in copies)


def test_the_connection_is_encrypted_and_logged_in(postfix: Postfix) -> None:
    send(postfix, mail(("tls@lab.test",)))
    [arrived] = postfix.delivered("tls", count=1)
    assert "ESMTPSA" in arrived["Received"]


def test_recipients_are_refused_one_by_one(postfix: Postfix) -> None:
    message = mail(("here@lab.test", "gone@lab.test", "later@lab.test"), ("noc@elsewhere.example",))
    receipt = send(postfix, message)
    assert list(receipt.refused_temporarily) == ["later@lab.test", "noc@elsewhere.example"]
    assert "450 4.2.0" in receipt.refused_temporarily["later@lab.test"]
    assert "Relay access denied" in receipt.refused_temporarily["noc@elsewhere.example"]
    assert list(receipt.refused_permanently) == ["gone@lab.test"]
    assert "no such user" in receipt.refused_permanently["gone@lab.test"]
    assert len(postfix.delivered("here", count=1)) == 1
    assert not {"gone", "later"} & set(postfix.mailboxes())


def test_a_mail_that_nobody_takes_is_dead_or_waits(postfix: Postfix) -> None:
    assert failure(postfix, mail(("gone@lab.test",))).permanent
    waiting = failure(postfix, mail(("gone@lab.test", "later@lab.test")))
    assert not waiting.permanent
    assert list(waiting.refused) == ["gone@lab.test"]


def test_a_wrong_password_waits_to_be_mended(postfix: Postfix) -> None:
    error = failure(postfix, mail(("it@lab.test",)), submission(postfix, "yanlış"))
    assert not error.permanent
    assert f"login as {USER}: 535" in error.text
    assert "yanlış" not in error.text


def test_a_missing_login_waits_to_be_mended(postfix: Postfix) -> None:
    anonymous = SmtpTransport(postfix.address, 587, "starttls", ca_file=postfix.ca)
    error = failure(postfix, mail(("nobody@lab.test",)), anonymous)
    assert not error.permanent
    assert "nobody" not in postfix.mailboxes()


def test_a_relay_without_a_trusted_certificate_gets_neither_password_nor_mail(postfix: Postfix) -> None:
    untrusted = replace(submission(postfix), ca_file=None)
    error = failure(postfix, mail(("nobody@lab.test",)), untrusted)
    assert not error.permanent
    assert "certificate verify failed" in error.text.lower()
    assert "nobody" not in postfix.mailboxes()


def test_a_relay_on_the_same_machine_takes_mail_without_a_login(postfix: Postfix) -> None:
    for security in ("none", "starttls"):
        message = mail((f"{security}@lab.test",))
        send(postfix, message, SmtpTransport("127.0.0.1", 25, "none" if security == "none" else "starttls"))
        [arrived] = postfix.delivered(security, count=1)
        assert ("ESMTPS" in arrived["Received"]) is (security == "starttls")


def test_a_mail_that_is_too_big_is_dead(postfix: Postfix) -> None:
    error = failure(postfix, replace(mail(("it@lab.test",)), text="x" * SIZE_LIMIT))
    assert error.permanent
    assert "552" in error.text


def test_an_address_that_the_relay_cannot_take_does_not_hold_up_the_others(postfix: Postfix) -> None:
    receipt = send(postfix, mail(("müşteri@lab.test", "ascii@lab.test")))
    assert list(receipt.refused_permanently) == ["müşteri@lab.test"]
    assert len(postfix.delivered("ascii", count=1)) == 1


def test_a_mail_waits_out_a_relay_that_is_away(postfix: Postfix) -> None:
    message = mail(("patient@lab.test",))
    postfix.stop()
    try:
        error = failure(postfix, message)
    finally:
        postfix.start()
    assert not error.permanent
    assert "connecting" in error.text
    send(postfix, message)
    [arrived] = postfix.delivered("patient", count=1)
    assert arrived["Message-ID"] == message.message_id
