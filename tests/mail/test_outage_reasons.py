"""Why a check failed, in words: those of today, and those that older results were recorded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.mail.compose import compose
from monitor.mail.content import OutageMail, OutageStarted, ServerEvents
from tests.mail.sample_mails import ENGLISH, START, TURKISH

if TYPE_CHECKING:
    from monitor.mail.content import Recipient


def seen(recorded: str, recipient: Recipient) -> str:
    """Return what a mail says was seen."""
    mail = compose(OutageMail(recipient, (ServerEvents("web-01", (OutageStarted("ping", START, recorded),)),)))
    line = next(line for line in mail.text.splitlines() if line.strip().startswith(("Seen:", "Gözlenen:")))
    return line.partition(":")[2].strip()


@pytest.mark.parametrize(
    ("recorded", "turkish", "english"),
    [
        ("timeout", "zaman aşımı (timeout)", "timeout"),
        ("status: 500", "beklenmeyen durum kodu (status: 500)", "unexpected status (status: 500)"),
        ("tls_name", "sertifika başka bir ada ait (tls_name)", "certificate for another name (tls_name)"),
        ("unreachable: host", "ulaşılamıyor (unreachable: host)", "unreachable (unreachable: host)"),
    ],
)
def test_a_reason_is_told_in_the_readers_language(recorded: str, turkish: str, english: str) -> None:
    assert seen(recorded, TURKISH) == turkish
    assert seen(recorded, ENGLISH) == english


@pytest.mark.parametrize(
    ("recorded", "turkish", "english"),
    [
        (
            "host unreachable (from 198.18.0.1)",
            "ulaşılamıyor (host unreachable from 198.18.0.1)",
            "unreachable (host unreachable from 198.18.0.1)",
        ),
        ("connection refused", "bağlantı reddedildi (connection refused)", "connection refused"),
        ("status 500", "beklenmeyen durum kodu (status 500)", "unexpected status (status 500)"),
        (
            "certificate expired",
            "sertifikanın süresi dolmuş (certificate expired)",
            "certificate expired",
        ),
    ],
)
def test_reasons_recorded_before_there_were_words_are_still_told(recorded: str, turkish: str, english: str) -> None:
    assert seen(recorded, TURKISH) == turkish
    assert seen(recorded, ENGLISH) == english


@pytest.mark.parametrize("recorded", ["imported", "error EWEIRD", "timeouts", "", "Status: 500", "no: word"])
def test_a_reason_of_no_known_word_is_shown_as_it_is(recorded: str) -> None:
    assert seen(recorded, TURKISH) == recorded


def test_a_reason_stays_on_its_line() -> None:
    assert seen("status: 500\nCredit: 100 %", ENGLISH) == "unexpected status (status: 500 Credit: 100 %)"
