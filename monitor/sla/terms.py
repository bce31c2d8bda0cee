"""The terms: products, targets and credit tables (5.1 to 5.3), clauses of exclusion (4), and one configuration's terms.

A month is computed with the terms that were in force in it (docs/contract.md#the-month), so terms are recorded facts.
``terms_body`` and ``terms_from_body`` convert them to plain JSON values and back, without loss.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

from monitor.model import PING, Span, Subscription
from monitor.sla.calendar import day_span, midnight, month_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from monitor.model import CreditPolicy, Millis, Product, Rounding


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CreditBand:
    """A row of a credit table: figures up to ``upper`` hundredths of a percent, included, pay ``percent``."""

    upper: int
    percent: int


@dataclass(frozen=True, slots=True)
class ProductTerms:
    """What the agreement promises for one product."""

    clause: str
    credit_clause: str
    """The clause of its availability credit."""
    measured: Literal["web", "ping"]
    """Measured on the http and https checks, or on ping."""
    target: int
    """Hundredths of a percent, a month."""
    bands: tuple[CreditBand, ...]
    """The lowest first; above the last there is no credit."""
    hardware_hours: int | None = None
    """The hours in which failed hardware of the provider is replaced (5.2.1)."""
    hardware_percent: int = 0
    """The credit for a late replacement, in percent (5.2.2)."""


PRODUCTS: Final[Mapping[Product, ProductTerms]] = {
    "web-hosting": ProductTerms("5.1", "5.1.2", "web", 9975, (CreditBand(8999, 50), CreditBand(9599, 25))),
    "server": ProductTerms("5.2", "5.2.2", "ping", 9975, (CreditBand(9800, 25), CreditBand(9899, 10)), 12, 10),
    "colocation": ProductTerms("5.3", "5.3.2", "ping", 9975, (CreditBand(9800, 25), CreditBand(9899, 10))),
}

EXCLUSION_CLAUSES: Final = ("4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.10")
"""The clauses of what does not count, in the agreement's order."""
RECORDED_CLAUSES: Final = tuple(clause for clause in EXCLUSION_CLAUSES if clause not in ("4.1", "4.5"))
"""The clauses that an operator can record: 4.1 comes from maintenance, 4.5 is never measured."""
CUSTOMER_CLAUSES: Final = ("4.3", "4.4", "4.6", "4.8", "4.10")
"""The clauses that concern one customer only, and so can be limited to a subscription."""
WEB_TYPES: Final = frozenset({"http", "https"})
"""The check types that measure the availability of web hosting (5.1)."""

_CLAUSE_ORDER: Final = {clause: order for order, clause in enumerate(EXCLUSION_CLAUSES)}


def clause_order(clause: str) -> int:
    """Return the position of a clause in the agreement: 4.9 before 4.10. Raise ``KeyError`` for an unknown one."""
    return _CLAUSE_ORDER[clause]


@dataclass(frozen=True, slots=True)
class CheckTerms:
    """The part of a check on which accounts depend: ``ping`` (any type) or a service."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class ServerTerms:
    """The part of a server on which accounts depend; on level 1 nothing is monitored (8.1)."""

    level: int
    checks: tuple[CheckTerms, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """The part of a configuration on which figures depend, valid from ``in_force`` until the next one."""

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
    """Percent of the monthly fee for each late first response (5.4.5); None: no credit."""
    ticket_area: str | None = None
    """The server on which tickets are opened (5.4.3)."""

    @property
    def hold(self) -> Millis:
        """The longest time for which a result holds: two intervals (docs/contract.md#from-results-to-time)."""
        return 2 * self.interval


def measured_checks(terms: Terms, subscription: Subscription) -> tuple[str, ...]:
    """Return the names of the checks that measure a subscription's availability.

    Only web checks measure web hosting (5.1, 4.5), only ping measures server and colocation (5.2, 5.3). On level 1
    nothing is monitored (8.1), so nothing is measured.
    """
    server = terms.servers.get(subscription.server)
    if server is None:
        return ()
    if PRODUCTS[subscription.product].measured == "web":
        return tuple(check.name for check in server.checks if check.name != PING and check.type in WEB_TYPES)
    return tuple(check.name for check in server.checks if check.name == PING)


def terms_body(terms: Terms) -> dict[str, Any]:
    """Return the terms as JSON values, without ``in_force``: equal terms have equal bodies."""
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
    """Return the terms of a body that ``terms_body`` wrote."""
    return TermsReader().read(in_force, body)


class TermsReader:
    """Reads recorded versions of the terms; equal parts of several versions are read and stored once."""

    def __init__(self) -> None:
        self._servers: dict[str, tuple[Mapping[str, Any], ServerTerms]] = {}
        self._subscriptions: dict[str, tuple[Mapping[str, Any], Subscription]] = {}

    def clear(self) -> None:
        """Free the cache object by object, so that other threads can run in between."""
        for cache in (self._servers, self._subscriptions):
            while cache:
                cache.popitem()

    def read(self, in_force: Millis, body: Mapping[str, Any]) -> Terms:
        """Return the terms of a body that ``terms_body`` wrote."""
        return Terms(
            in_force=in_force,
            timezone=body["timezone"],
            rounding=body["rounding"],
            rolling_days=body["rolling_days"],
            interval=body["interval"],
            servers=_read_cached(body["servers"], self._servers, _server_from_body),
            subscriptions=_read_cached(body["subscriptions"], self._subscriptions, _subscription_from_body),
            customers=dict(body["customers"]),
            credit=body.get("credit", "on-claim"),
            support_credit=body.get("support_credit"),
            ticket_area=body.get("ticket_area"),
        )


def _read_cached(
    bodies: Mapping[str, Mapping[str, Any]],
    cache: dict[str, tuple[Mapping[str, Any], T]],
    read: Callable[[Mapping[str, Any]], T],
) -> dict[str, T]:
    found = {}
    for name, body in bodies.items():
        cached = cache.get(name)
        if cached is None or cached[0] != body:
            cached = cache[name] = body, read(body)
        found[name] = cached[1]
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


# --- versions of the terms, decoded on first use: most reads need only the newest few ---------------------------------

_IN_FORCE = attrgetter("in_force")


class TermsVersions(Sequence["Terms"]):
    """All versions, oldest first; ``in_force`` has the start of each, without decoding it."""

    def __init__(
        self, in_force: Sequence[Millis], read: Callable[[int], Terms], release: Callable[[], None] = lambda: None
    ) -> None:
        """``read`` returns a version by its index, and is called once for each; ``release`` frees its source."""
        self.in_force = in_force
        self._release = release
        self._read = read
        self._cache: dict[int, Terms] = {}

    def close(self) -> None:
        """Free the decoded versions object by object: in one step it would hold the interpreter lock for 0.1 s.

        Afterwards no version can be read. ``Terms`` that other objects refer to remain valid.
        """
        pieces = [
            piece
            for terms in self._cache.values()
            for piece in (*terms.servers.values(), *terms.subscriptions.values())
        ]
        self._cache.clear()
        while pieces:
            pieces.pop()
        self._release()

    def __len__(self) -> int:
        return len(self.in_force)

    @overload
    def __getitem__(self, index: int) -> Terms: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Terms, ...]: ...
    def __getitem__(self, index: int | slice) -> Terms | tuple[Terms, ...]:
        wanted = range(len(self.in_force))[index]
        if isinstance(wanted, range):
            return tuple(self[one] for one in wanted)
        if wanted not in self._cache:
            self._cache[wanted] = self._read(wanted)
        return self._cache[wanted]


def index_at(versions: Sequence[Terms], at: Millis) -> int:
    """Return the index of the version in force at an instant; the first extends back."""
    if isinstance(versions, TermsVersions):
        return max(bisect_right(versions.in_force, at) - 1, 0)
    return max(bisect_right(versions, at, key=_IN_FORCE) - 1, 0)


# --- which server and checks a subscription is measured on, and when (docs/contract.md#the-month) ---------------------


@dataclass(frozen=True, slots=True)
class Segment:
    """A period of one subscription in which the same checks of the same server are measured."""

    span: Span
    server: str
    checks: tuple[str, ...]
    subscription: str


@dataclass(frozen=True, slots=True)
class PromisePeriod:
    """A period of one subscription with the same product terms and the same rounding."""

    span: Span
    product: ProductTerms
    rounding: Rounding


def terms_at(versions: Sequence[Terms], at: Millis) -> Terms:
    """Return the terms in force at an instant; ``versions`` are ordered by ``in_force``, the first extends back."""
    return versions[index_at(versions, at)]


def terms_of_window(versions: Sequence[Terms], window: Span, now: Millis) -> Terms:
    """Return the terms whose zone and rounding apply to a window: those in force when it ends, or now."""
    return terms_at(versions, window.end - 1 if window.end <= now else now)


def month_window(versions: Sequence[Terms], year: int, month: int) -> Span:
    """Return the calendar month in the zone of the last terms that came into force before its end."""
    for index in range(len(versions) - 1, 0, -1):
        terms = versions[index]
        span = month_span(year, month, terms.timezone)
        if terms.in_force < span.end:
            return span
    return month_span(year, month, versions[0].timezone)


def segments(versions: Sequence[Terms], subscription: str, window: Span, now: Millis) -> tuple[Segment, ...]:
    """Return the segments of a subscription in ``window`` until ``now``; none if it has no day in it.

    ``versions`` are ordered by ``in_force``. The earliest one with the subscription extends back without limit, each
    holds until the next, and one without the subscription ends it. Within each, it counts from 00:00 of its first day
    to 24:00 of its last in that version's zone. Neighbours with the same checks are joined.
    """
    return _merge_segments(_periods_in_force(versions, subscription, Span(window.start, min(window.end, now))))


def _merge_segments(periods: Iterable[tuple[Terms, Subscription, Span]]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for terms, one, span in periods:
        checks = measured_checks(terms, one)
        last = found[-1] if found else None
        if last and last.span.end == span.start and last.server == one.server and last.checks == checks:
            found[-1] = Segment(Span(last.span.start, span.end), one.server, checks, one.id)
        else:
            found.append(Segment(span, one.server, checks, one.id))
    return tuple(found)


def terms_at_end(
    versions: Sequence[Terms], subscription: str, window: Span, now: Millis
) -> tuple[Terms, Subscription] | None:
    """Return the terms of a subscription's last segment in a window: their product, fee and target apply to all of it.

    ``None`` if it has no segment, and so is not in the window's accounts.
    """
    last = None
    for terms, one, _ in _periods_in_force(versions, subscription, Span(window.start, min(window.end, now))):
        last = terms, one
    return last


def terms_and_segments(
    versions: Sequence[Terms], subscription: str, window: Span, now: Millis
) -> tuple[Terms, Subscription, tuple[Segment, ...]] | None:
    """Return ``terms_at_end`` and ``segments`` in one pass over the versions."""
    periods = list(_periods_in_force(versions, subscription, Span(window.start, min(window.end, now))))
    if not periods:
        return None
    terms, one, _ = periods[-1]
    return terms, one, _merge_segments(periods)


def promise_periods(versions: Sequence[Terms], subscription: str, window: Span) -> tuple[PromisePeriod, ...]:
    """Return the promise periods of a subscription in ``window``; equal neighbours are joined."""
    found: list[PromisePeriod] = []
    for terms, one, span in _periods_in_force(versions, subscription, window):
        period = PromisePeriod(span, PRODUCTS[one.product], terms.rounding)
        last = found[-1] if found else None
        if last and last.span.end == span.start and replace(last, span=span) == period:
            found[-1] = replace(last, span=Span(last.span.start, span.end))
        else:
            found.append(period)
    return tuple(found)


def _periods_in_force(
    versions: Sequence[Terms], subscription: str, window: Span
) -> Iterator[tuple[Terms, Subscription, Span]]:
    index = index_at(versions, window.start)
    if index < len(versions) and subscription in versions[index].subscriptions:
        first = index  # or earlier, which makes no difference in the window
    else:
        first = next((at for at, terms in enumerate(versions) if subscription in terms.subscriptions), len(versions))
        index = max(index, first)
    for at in range(index, len(versions)):
        terms = versions[at]
        if at > first and terms.in_force >= window.end:
            return
        one = terms.subscriptions.get(subscription)
        if one is None:
            continue
        start, end = window
        if at > first:
            start = max(start, terms.in_force)
        if at + 1 < len(versions):
            end = min(end, versions[at + 1].in_force)
        start, end = _cut_to_days(start, end, one.start, one.end, terms.timezone)
        if start < end:
            yield terms, one, Span(start, end)


def _cut_to_days(
    start: Millis, end: Millis, first: dt.date | None, last: dt.date | None, zone: str
) -> tuple[Millis, Millis]:
    if first is not None:
        start = max(start, midnight(first, zone))
    if last is not None:
        end = min(end, day_span(last, last, zone).end)
    return start, end
