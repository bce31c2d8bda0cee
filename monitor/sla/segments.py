"""Which server and checks a subscription is read on, and when: the terms in force, day by day (reading.md 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.model import Span
from monitor.sla.calendar import day_span, midnight, month_span
from monitor.sla.terms import PRODUCTS, measured_checks
from monitor.sla.versions import place_at

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from monitor.model import Millis, Rounding, Subscription
    from monitor.sla.terms import ProductTerms, Terms


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one subscription in which the same checks of the same server are measured."""

    span: Span
    server: str
    checks: tuple[str, ...]
    subscription: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A stretch of one subscription in which the same is promised, and read by the same rounding."""

    span: Span
    product: ProductTerms
    rounding: Rounding


def terms_at(versions: Sequence[Terms], at: Millis) -> Terms:
    """Return the terms in force at an instant, of versions ordered by ``in_force``; the first extends back."""
    return versions[place_at(versions, at)]


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
    return _segments(_stretches(versions, subscription, Span(window.start, min(window.end, now))))


def _segments(stretches: Iterable[tuple[Terms, Subscription, Span]]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for terms, one, span in stretches:
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
    for terms, one, _ in _stretches(versions, subscription, Span(window.start, min(window.end, now))):
        last = terms, one
    return last


def read_on(
    versions: Sequence[Terms], subscription: str, window: Span, now: Millis
) -> tuple[Terms, Subscription, tuple[Segment, ...]] | None:
    """Return ``terms_at_end`` and ``segments`` together, for one look at the versions."""
    stretches = list(_stretches(versions, subscription, Span(window.start, min(window.end, now))))
    if not stretches:
        return None
    terms, one, _ = stretches[-1]
    return terms, one, _segments(stretches)


def promises(versions: Sequence[Terms], subscription: str, window: Span) -> tuple[Promise, ...]:
    """Return what a subscription was promised in ``window``; neighbours that promise the same are one."""
    found: list[Promise] = []
    for terms, one, span in _stretches(versions, subscription, window):
        made = Promise(span, PRODUCTS[one.product], terms.rounding)
        last = found[-1] if found else None
        if last and last.span.end == span.start and replace(last, span=span) == made:
            found[-1] = replace(last, span=Span(last.span.start, span.end))
        else:
            found.append(made)
    return tuple(found)


def _stretches(
    versions: Sequence[Terms], subscription: str, window: Span
) -> Iterator[tuple[Terms, Subscription, Span]]:
    index = place_at(versions, window.start)
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
