"""The terms: products, targets and credit tables (5.1 to 5.3), clauses of exclusion (4), and one configuration's terms.

A month is read with the terms that were in force in it (reading.md 3), so terms are written down as facts:
``terms_body`` and ``terms_from_body`` turn them into plain JSON values and back, exactly.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from monitor.model import PING, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.model import CreditPolicy, Millis, Product, Rounding


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Band:
    """A row of a credit table: figures up to and with ``upper`` hundredths of a percent pay ``percent``."""

    upper: int
    percent: int


@dataclass(frozen=True, slots=True)
class ProductTerms:
    """What the agreement promises for one product."""

    clause: str
    credit_clause: str
    """The clause that an availability credit is paid by."""
    measured: Literal["web", "ping"]
    """Read on the http/https checks, or on network reachability."""
    target: int
    """Hundredths of a percent, a month."""
    bands: tuple[Band, ...]
    """The lowest first; above the last, nothing is paid."""
    hardware_hours: int | None = None
    """Failed hardware is replaced in so many hours (5.2.1), where the provider owns it."""
    hardware_percent: int = 0
    """The credit for a replacement that took longer (5.2.2)."""


PRODUCTS: Final[Mapping[Product, ProductTerms]] = {
    "web-hosting": ProductTerms("5.1", "5.1.2", "web", 9975, (Band(8999, 50), Band(9599, 25))),
    "server": ProductTerms("5.2", "5.2.2", "ping", 9975, (Band(9800, 25), Band(9899, 10)), 12, 10),
    "colocation": ProductTerms("5.3", "5.3.2", "ping", 9975, (Band(9800, 25), Band(9899, 10))),
}

CLAUSES: Final = ("4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.10")
"""What does not count, in the agreement's order."""
RECORDED_CLAUSES: Final = tuple(clause for clause in CLAUSES if clause not in ("4.1", "4.5"))
"""Those that an operator can record: 4.1 comes from maintenance, 4.5 is never measured."""
PERSONAL_CLAUSES: Final = ("4.3", "4.4", "4.6", "4.8", "4.10")
"""Those that concern one customer alone, and so can be limited to a subscription."""
WEB_TYPES: Final = frozenset({"http", "https"})
"""The check types that the availability of web hosting is read on (5.1)."""

_ORDER: Final = {clause: order for order, clause in enumerate(CLAUSES)}


def clause_order(clause: str) -> int:
    """Return the place of a clause in the agreement: 4.9 before 4.10. Raises ``KeyError`` for one that is none."""
    return _ORDER[clause]


@dataclass(frozen=True, slots=True)
class CheckTerms:
    """A check as far as the accounts hang on it: ``ping`` (any type) or a service."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class ServerTerms:
    """A server as far as the accounts hang on it; on level 1 nothing is monitored (8.1)."""

    level: int
    checks: tuple[CheckTerms, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """One configuration as far as figures hang on it, from ``in_force`` until the next comes into force."""

    in_force: Millis
    timezone: str
    rounding: Rounding
    rolling_days: int
    interval: Millis
    servers: Mapping[str, ServerTerms]
    subscriptions: Mapping[str, Subscription]
    customers: Mapping[str, str]
    """Names by id."""
    credit: CreditPolicy = "on-claim"
    support_credit: int | None = None
    """Percent of the monthly fee for each first response that came too late (5.4.5); None pays nothing."""
    ticket_area: str | None = None
    """The server on which tickets are opened (5.4.3)."""

    @property
    def hold(self) -> Millis:
        """How long a result holds at most: two intervals (reading.md 4.2)."""
        return 2 * self.interval


def measured_checks(terms: Terms, subscription: Subscription) -> tuple[str, ...]:
    """Return the names of the checks that a subscription's availability is read on.

    Web hosting is read on the web checks alone (5.1, 4.5), server and colocation on reachability alone (5.2, 5.3).
    Nothing is monitored on level 1 (8.1), so nothing is measured.
    """
    server = terms.servers.get(subscription.server)
    if server is None:
        return ()
    if PRODUCTS[subscription.product].measured == "web":
        return tuple(check.name for check in server.checks if check.name != PING and check.type in WEB_TYPES)
    return tuple(check.name for check in server.checks if check.name == PING)


def terms_body(terms: Terms) -> dict[str, Any]:
    """Return the terms as JSON values, without ``in_force``: the same terms always give the same body."""
    return {
        "timezone": terms.timezone,
        "rounding": terms.rounding,
        "rolling_days": terms.rolling_days,
        "interval": terms.interval,
        "credit": terms.credit,
        "support_credit": terms.support_credit,
        "ticket_area": terms.ticket_area,
        "servers": {
            name: {"level": server.level, "checks": [[check.name, check.type] for check in server.checks]}
            for name, server in sorted(terms.servers.items())
        },
        "subscriptions": {name: _subscription_body(one) for name, one in sorted(terms.subscriptions.items())},
        "customers": dict(sorted(terms.customers.items())),
    }


def terms_from_body(in_force: Millis, body: Mapping[str, Any]) -> Terms:
    """Return the terms that ``terms_body`` wrote down."""
    return TermsReader().read(in_force, body)


class TermsReader:
    """Reads versions of the terms that were written down; what several of them say alike is read and kept once."""

    def __init__(self) -> None:
        self._servers: dict[str, tuple[Mapping[str, Any], ServerTerms]] = {}
        self._subscriptions: dict[str, tuple[Mapping[str, Any], Subscription]] = {}

    def forget(self) -> None:
        """Free what was kept, piece by piece, so that other threads get their turn."""
        for kept in (self._servers, self._subscriptions):
            while kept:
                kept.popitem()

    def read(self, in_force: Millis, body: Mapping[str, Any]) -> Terms:
        """Return the terms that ``terms_body`` wrote down."""
        return Terms(
            in_force=in_force,
            timezone=body["timezone"],
            rounding=body["rounding"],
            rolling_days=body["rolling_days"],
            interval=body["interval"],
            servers=_read_once(body["servers"], self._servers, _server_from_body),
            subscriptions=_read_once(body["subscriptions"], self._subscriptions, _subscription_from_body),
            customers=dict(body["customers"]),
            credit=body.get("credit", "on-claim"),
            support_credit=body.get("support_credit"),
            ticket_area=body.get("ticket_area"),
        )


def _read_once(
    bodies: Mapping[str, Mapping[str, Any]],
    known: dict[str, tuple[Mapping[str, Any], T]],
    read: Callable[[Mapping[str, Any]], T],
) -> dict[str, T]:
    found = {}
    for name, body in bodies.items():
        before = known.get(name)
        if before is None or before[0] != body:
            before = known[name] = body, read(body)
        found[name] = before[1]
    return found


def _server_from_body(body: Mapping[str, Any]) -> ServerTerms:
    return ServerTerms(body["level"], tuple(CheckTerms(*check) for check in body["checks"]))


def _subscription_body(one: Subscription) -> dict[str, Any]:
    body = {field.name: getattr(one, field.name) for field in fields(one)}
    body["fee"] = None if one.fee is None else str(one.fee)
    body["start"] = one.start and one.start.isoformat()
    body["end"] = one.end and one.end.isoformat()
    return body


def _subscription_from_body(body: Mapping[str, Any]) -> Subscription:
    fee, start, end = body["fee"], body["start"], body["end"]
    return Subscription(
        **{
            **body,
            "fee": None if fee is None else Decimal(fee),
            "start": start and dt.date.fromisoformat(start),
            "end": end and dt.date.fromisoformat(end),
        }
    )
