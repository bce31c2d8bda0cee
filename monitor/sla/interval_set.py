"""Immutable sets of time, made of half-open spans in milliseconds, with union, intersection and difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.model import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.model import Millis


class IntervalSet:
    """A set of instants, stored as the fewest half-open spans ``[start, end)``, in order, without contact.

    The cost of an operation depends on the number of spans, not on the length of time.
    """

    __slots__ = ("_spans",)

    _spans: tuple[Span, ...]

    def __init__(self, spans: Iterable[tuple[Millis, Millis]] = ()) -> None:
        """Create a set from spans in any order, overlapping or not; one that ends at or before its start is empty."""
        self._spans = _merge_overlapping(sorted(spans))

    @classmethod
    def of(cls, start: Millis, end: Millis) -> IntervalSet:
        """Return the set of one span, empty if it ends at or before its start."""
        return cls._from_normalized((Span(start, end),) if start < end else ())

    @classmethod
    def _from_normalized(cls, spans: tuple[Span, ...]) -> IntervalSet:
        made = cls.__new__(cls)
        made._spans = spans  # noqa: SLF001 - our own instance, already in normal form
        return made

    @property
    def length(self) -> Millis:
        """The total length in milliseconds."""
        return sum(end - start for start, end in self._spans)

    def clip(self, start: Millis, end: Millis) -> IntervalSet:
        """Return the part in ``[start, end)``."""
        if self._spans and (self._spans[0].start < start or self._spans[-1].end > end):
            return self & IntervalSet.of(start, end)
        return self

    def __or__(self, other: IntervalSet) -> IntervalSet:
        if not other._spans:
            return self
        if not self._spans:
            return other
        return IntervalSet._from_normalized(_merge_overlapping(sorted(self._spans + other._spans)))

    def __and__(self, other: IntervalSet) -> IntervalSet:
        ours, theirs = self._spans, other._spans
        shared: list[Span] = []
        i = j = 0
        while i < len(ours) and j < len(theirs):
            start = max(ours[i].start, theirs[j].start)
            end = min(ours[i].end, theirs[j].end)
            if start < end:
                shared.append(Span(start, end))
            if ours[i].end < theirs[j].end:
                i += 1
            else:
                j += 1
        return IntervalSet._from_normalized(tuple(shared))

    def __sub__(self, other: IntervalSet) -> IntervalSet:
        theirs = other._spans
        if not theirs or not self._spans:
            return self
        left: list[Span] = []
        j = 0
        for start, end in self._spans:
            while j < len(theirs) and theirs[j].end <= start:
                j += 1
            at, k = start, j
            while k < len(theirs) and theirs[k].start < end:
                if at < theirs[k].start:
                    left.append(Span(at, theirs[k].start))
                at = theirs[k].end
                k += 1
            if at < end:
                left.append(Span(at, end))
        return IntervalSet._from_normalized(tuple(left))

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __bool__(self) -> bool:
        return bool(self._spans)

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, int) and any(start <= instant < end for start, end in self._spans)

    def __eq__(self, other: object) -> bool:
        return self._spans == other._spans if isinstance(other, IntervalSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._spans)

    def __repr__(self) -> str:
        return f"Intervals({[tuple(span) for span in self._spans]})"


def _merge_overlapping(spans: Iterable[tuple[Millis, Millis]]) -> tuple[Span, ...]:
    """Return spans, which are ordered by start, with those joined that overlap or touch, without empty ones."""
    joined: list[Span] = []
    for start, end in spans:
        if start >= end:
            continue
        if joined and start <= joined[-1].end:
            if end > joined[-1].end:
                joined[-1] = Span(joined[-1].start, end)
        else:
            joined.append(Span(start, end))
    return tuple(joined)
