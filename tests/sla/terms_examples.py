"""Terms of one subscription beside servers of every kind."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from monitor.model import Subscription
from monitor.sla.terms import (
    CheckTerms,
    ServerTerms,
    Terms,
)

PING = CheckTerms("ping", "icmp")
SERVERS = {
    "none": ServerTerms(1),
    "two": ServerTerms(2, (PING,)),
    "three": ServerTerms(3, (CheckTerms("ping", "tcp"),)),
    "four": ServerTerms(4, (PING, CheckTerms("site", "https"), CheckTerms("mail", "smtp"))),
    "shops": ServerTerms(4, (PING, CheckTerms("site", "http"), CheckTerms("shop", "https"))),
    "web-ping": ServerTerms(4, (CheckTerms("ping", "http"), CheckTerms("db", "mysql"))),
}
ONE = Subscription("x", "acme", "four", "server", Decimal("49.90"), "USD", 12, dt.date(2026, 1, 1), None)
TERMS = Terms(1_000, "Europe/Istanbul", "down", 30, 60_000, SERVERS, {"x": ONE}, {"acme": "Acme Ltd"})
