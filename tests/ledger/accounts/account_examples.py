"""Configurations and outcomes that several tests of accounts share."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from monitor.model import CheckKey
from tests.fakes import (
    FAIL,
    OK,
    UNKNOWN,
    make_context,
    make_server,
    make_subscription,
)

if TYPE_CHECKING:
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis, Subscription


PING, SITE, SHOP = CheckKey("web-01", "ping"), CheckKey("web-01", "site"), CheckKey("web-01", "shop")
PLAIN = make_context([make_server("web-01")], [make_subscription("acme", "web-01", fee=Decimal("49.90"))])


def instant(text: str) -> Millis:
    return int(dt.datetime.fromisoformat(text).timestamp()) * 1000


BASE = instant("2026-10-30T12:00+03:00")


def subscriptions() -> list[Subscription]:
    base = replace(make_subscription("acme", "web-01"), id="s")
    return [
        base,
        replace(base, product="web-hosting"),
        replace(base, start=dt.date(2026, 11, 1)),
        replace(base, end=dt.date(2026, 10, 31), product="colocation"),
    ]


def configurations() -> list[LedgerContext]:
    server = make_server("web-01", "site", "shop")
    made = [make_context([server], [each]) for each in subscriptions()]
    made.append(make_context([server], [subscriptions()[0], make_subscription("bolt", "web-01", "web-hosting")]))
    made.append(make_context([server], []))
    made.append(make_context([make_server("web-01", level=1)], [subscriptions()[0]]))
    for changed in ({"timezone": "America/New_York"}, {"rounding": "half-up"}, {"rolling_days": 7}):
        made.append(replace(made[0], terms=replace(made[0].terms, **changed)))
    return made


CONFIGURATIONS = configurations()
OUTCOMES = st.sampled_from([OK, OK, FAIL, FAIL, UNKNOWN, None])
