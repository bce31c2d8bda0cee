"""Readers and news that several tests write letters from."""

from __future__ import annotations

from monitor.mail.content import MonthToDate, OutageEnded, OutageMail, OutageStarted, Recipient, ServerEvents

TURKISH = Recipient("Acme Ltd. Şti.", "tr", "Europe/Istanbul", "https://sla.example.com/")
ENGLISH = Recipient("Acme Ltd", "en", "Europe/Istanbul", "https://sla.example.com/")
OPERATORS = Recipient("", "en", "Europe/Istanbul", "https://sla.example.com/")

START = 1_790_935_200_000  # 2026-10-02 13:00:00 in Istanbul, a Friday
DEADLINE = 1_791_320_400_000  # 2026-10-06 24:00:00 in Istanbul
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

OUTAGE_STARTED = OutageStarted("ping", START, "timeout")
OUTAGE_ENDED = OutageEnded("ping", START, START + 450_000, 450_000, 390_000, 510_000, claim_deadline=DEADLINE)
MONTH_TO_DATE = MonthToDate("acme-web-01", "2026-10", "99.73", "99.75", target_met=False)


def outage_started_mail(recipient: Recipient, *servers: str) -> OutageMail:
    return OutageMail(recipient, tuple(ServerEvents(server, (OUTAGE_STARTED,)) for server in servers))


def outage_ended_mail(recipient: Recipient, *servers: str) -> OutageMail:
    return OutageMail(recipient, tuple(ServerEvents(server, (OUTAGE_ENDED,), (MONTH_TO_DATE,)) for server in servers))
