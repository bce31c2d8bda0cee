"""The terms: products, targets and credit tables (5.1 to 5.3), clauses of exclusion (4), and one configuration's terms.

A month is read with the terms that were in force in it (docs/contract.md#the-month), so terms are written down as
facts: ``terms_body`` and ``terms_from_body`` turn them into plain JSON values and back, exactly.
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
    bands: tuple[CreditBand, ...]
    """The lowest first; above the last, nothing is paid."""
    hardware_hours: int | None = None
    """Failed hardware is replaced in so many hours (5.2.1), where the provider owns it."""
    hardware_percent: int = 0
    """The credit for a replacement that took longer (5.2.2)."""


PRODUCTS: Final[Mapping[Product, ProductTerms]] = {
    "web-hosting": ProductTerms("5.1", "5.1.2", "web", 9975, (CreditBand(8999, 50), CreditBand(9599, 25))),
    "server": ProductTerms("5.2", "5.2.2", "ping", 9975, (CreditBand(9800, 25), CreditBand(9899, 10)), 12, 10),
    "colocation": ProductTerms("5.3", "5.3.2", "ping", 9975, (CreditBand(9800, 25), CreditBand(9899, 10))),
}

EXCLUSION_CLAUSES: Final = ("4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.10")
"""What does not count, in the agreement's order."""
RECORDED_CLAUSES: Final = tuple(clause for clause in EXCLUSION_CLAUSES if clause not in ("4.1", "4.5"))
"""Those that an operator can record: 4.1 comes from maintenance, 4.5 is never measured."""
CUSTOMER_CLAUSES: Final = ("4.3", "4.4", "4.6", "4.8", "4.10")
"""Those that concern one customer alone, and so can be limited to a subscription."""
WEB_TYPES: Final = frozenset({"http", "https"})
"""The check types that the availability of web hosting is read on (5.1)."""

_CLAUSE_ORDER: Final = {clause: order for order, clause in enumerate(EXCLUSION_CLAUSES)}


def clause_order(clause: str) -> int:
    """Return the place of a clause in the agreement: 4.9 before 4.10. Raises ``KeyError`` for one that is none."""
    return _CLAUSE_ORDER[clause]


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
        """How long a result holds at most: two intervals (docs/contract.md#from-results-to-time)."""
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

    def clear(self) -> None:
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
        before = cache.get(name)
        if before is None or before[0] != body:
            before = cache[name] = body, read(body)
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


# --- versions of the terms, decoded on first use: most questions need the newest few of many years --------------------

_IN_FORCE = attrgetter("in_force")


class TermsVersions(Sequence["Terms"]):
    """All versions, oldest first; ``in_force`` says of each since when, without reading it."""

    def __init__(
        self, in_force: Sequence[Millis], read: Callable[[int], Terms], release: Callable[[], None] = lambda: None
    ) -> None:
        """``read`` gives a version by its place, and is asked once for each; ``release`` frees what it reads from."""
        self.in_force = in_force
        self._release = release
        self._read = read
        self._cache: dict[int, Terms] = {}

    def close(self) -> None:
        """Free what was read, piece by piece: at once it would keep other threads from the interpreter for 0.1 s.

        Nothing can be read any more. Only what nobody else refers to is freed; ``Terms`` in others' hands stay whole.
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
        places = range(len(self.in_force))[index]
        if isinstance(places, range):
            return tuple(self[place] for place in places)
        if places not in self._cache:
            self._cache[places] = self._read(places)
        return self._cache[places]


def index_at(versions: Sequence[Terms], at: Millis) -> int:
    """Return the place of the version in force at an instant; the first extends back."""
    if isinstance(versions, TermsVersions):
        return max(bisect_right(versions.in_force, at) - 1, 0)
    return max(bisect_right(versions, at, key=_IN_FORCE) - 1, 0)


# --- which server and checks a subscription is measured on, and when (docs/contract.md#the-month) ---------------------


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one subscription in which the same checks of the same server are measured."""

    span: Span
    server: str
    checks: tuple[str, ...]
    subscription: str


@dataclass(frozen=True, slots=True)
class PromisePeriod:
    """A stretch of one subscription in which the same is promised, and read by the same rounding."""

    span: Span
    product: ProductTerms
    rounding: Rounding


def terms_at(versions: Sequence[Terms], at: Millis) -> Terms:
    """Return the terms in force at an instant, of versions ordered by ``in_force``; the first extends back."""
    return versions[index_at(versions, at)]


def terms_of_window(versions: Sequence[Terms], window: Span, now: Millis) -> Terms:
    """Return the terms whose zone and rounding a window is read with: those in force when it ends, or now."""
    return terms_at(versions, window.end - 1 if window.end <= now else now)


def month_window(versions: Sequence[Terms], year: int, month: int) -> Span:
    """Return the calendar month in the zone of the last terms that came into force before its end."""
    for place in range(len(versions) - 1, 0, -1):
        terms = versions[place]
        span = month_span(year, month, terms.timezone)
        if terms.in_force < span.end:
            return span
    return month_span(year, month, versions[0].timezone)


def segments(versions: Sequence[Terms], subscription: str, window: Span, now: Millis) -> tuple[Segment, ...]:
    """Return what a subscription is read on in ``window`` cut at ``now``; nothing where it has no day in it.

    ``versions`` are ordered by ``in_force``. The earliest in which the subscription appears extends back without limit,
    each holds until the next, and one without it ends it. Within each, it counts from 00:00 of its first day to 24:00
    of its last in that version's zone. Neighbours that measure the same are one segment.
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
    """Return the terms of the subscription's last segment in the window: its product, fee and target apply to it whole.

    ``None`` where it has no segment, and so is not in the window's accounts.
    """
    last = None
    for terms, one, _ in _periods_in_force(versions, subscription, Span(window.start, min(window.end, now))):
        last = terms, one
    return last


def terms_and_segments(
    versions: Sequence[Terms], subscription: str, window: Span, now: Millis
) -> tuple[Terms, Subscription, tuple[Segment, ...]] | None:
    """Return ``terms_at_end`` and ``segments`` together, for one look at the versions."""
    stretches = list(_periods_in_force(versions, subscription, Span(window.start, min(window.end, now))))
    if not stretches:
        return None
    terms, one, _ = stretches[-1]
    return terms, one, _merge_segments(stretches)


def promise_periods(versions: Sequence[Terms], subscription: str, window: Span) -> tuple[PromisePeriod, ...]:
    """Return what a subscription was promised in ``window``; neighbours that promise the same are one."""
    found: list[PromisePeriod] = []
    for terms, one, span in _periods_in_force(versions, subscription, window):
        made = PromisePeriod(span, PRODUCTS[one.product], terms.rounding)
        last = found[-1] if found else None
        if last and last.span.end == span.start and replace(last, span=span) == made:
            found[-1] = replace(last, span=Span(last.span.start, span.end))
        else:
            found.append(made)
    return tuple(found)


def _periods_in_force(
    versions: Sequence[Terms], subscription: str, window: Span
) -> Iterator[tuple[Terms, Subscription, Span]]:
    index = index_at(versions, window.start)
    if index < len(versions) and subscription in versions[index].subscriptions:
        first = index  # or earlier: what was before says nothing of the window
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
