"""Readers and news that several tests write letters from."""

from __future__ import annotations

from monitor.mail.content import Fell, OutageLetter, Reader, Rose, ServerNews, Standing

TURKISH = Reader("Acme Ltd. Şti.", "tr", "Europe/Istanbul", "https://sla.example.com/")
ENGLISH = Reader("Acme Ltd", "en", "Europe/Istanbul", "https://sla.example.com/")
OPERATORS = Reader("", "en", "Europe/Istanbul", "https://sla.example.com/")

START = 1_790_935_200_000  # 2026-10-02 13:00:00 in Istanbul, a Friday
DEADLINE = 1_791_320_400_000  # 2026-10-06 24:00:00 in Istanbul
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

FELL = Fell("ping", START, "timeout")
ROSE = Rose("ping", START, START + 450_000, 450_000, 390_000, 510_000, claim_deadline=DEADLINE)
STANDING = Standing("acme-web-01", "2026-10", "99.73", "99.75", target_met=False)


def fall(reader: Reader, *servers: str) -> OutageLetter:
    return OutageLetter(reader, tuple(ServerNews(server, (FELL,)) for server in servers))


def rise(reader: Reader, *servers: str) -> OutageLetter:
    return OutageLetter(reader, tuple(ServerNews(server, (ROSE,), (STANDING,)) for server in servers))
