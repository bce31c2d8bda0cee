"""Why a check failed, in words: those of today, and those that older results were recorded with."""

from __future__ import annotations

import pytest

from monitor.mail.rendering.compose import WORDS
from monitor.mail.rendering.outage_mail import reason

TURKISH = WORDS["tr"].outage.reasons
ENGLISH = WORDS["en"].outage.reasons


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
    assert reason(recorded, TURKISH) == turkish
    assert reason(recorded, ENGLISH) == english


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
    assert reason(recorded, TURKISH) == turkish
    assert reason(recorded, ENGLISH) == english


@pytest.mark.parametrize("recorded", ["imported", "error EWEIRD", "timeouts", "", "Status: 500", "no: word"])
def test_a_reason_of_no_known_word_is_shown_as_it_is(recorded: str) -> None:
    assert reason(recorded, TURKISH) == recorded


def test_a_reason_stays_on_its_line() -> None:
    assert "\n" not in reason("status: 500\nCredit: 100 %", TURKISH)
