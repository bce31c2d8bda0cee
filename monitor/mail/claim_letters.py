"""What there is to tell of a claim: that it is refused, or the answer with all its figures (6.2, 6.3).

An answer is kept in the journal as it stands here, field by field: it holds whole numbers, text, truth values and
tuples of such, nothing else. Instants are ``Millis``, lengths whole milliseconds; percentages and money are text as
the accounts print them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from monitor.mail.content import Reader
    from monitor.model import Millis

WhyRefused: TypeAlias = Literal["late", "not-measured"]


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """The claim itself."""

    claim: int
    subscription: str
    outage: int
    server: str
    check: str
    began: Millis
    """The outage's first fail."""
    opened_at: Millis
    deadline: Millis
    """The last moment at which a claim is in time (6.2)."""
    answer_due: Millis
    """The last moment at which the answer is in time (6.3)."""


@dataclass(frozen=True, slots=True)
class ClaimOutage:
    """An outage that touches the month; its lengths are whole, before exclusions (reading.md 4)."""

    id: int
    server: str
    check: str
    start: Millis
    end: Millis | None
    counted: Millis
    least: Millis
    most: Millis
    excluded: Millis


@dataclass(frozen=True, slots=True)
class ClaimExclusion:
    """A record that took time out of the month (4.1 to 4.10), or one that could not for want of notice."""

    clause: str
    reference: str
    """``maintenance 12``, ``exclusion 3``."""
    reason: str
    length: Millis
    """How much of the month is charged to it; 0 where it excludes nothing."""
    short_by: Millis = 0
    """By how much planned maintenance missed its 96 hours of notice; then it excludes nothing (4.1, 4.9)."""


@dataclass(frozen=True, slots=True)
class ClaimDecision:
    """How a place was read on which the agreement is silent."""

    setting: str
    value: str
    clause: str


@dataclass(frozen=True, slots=True)
class ClaimCorrection:
    """What changed figures of this subscription after its month was closed; they are those after it."""

    entry: int
    """The journal's number of it."""
    at: Millis
    why: str
    """``exclusion 3``, as the journal names its cause."""


@dataclass(frozen=True, slots=True)
class ClaimClosing:
    """That the month was closed: its figures are those of the closing, but for the corrections since."""

    entry: int
    at: Millis
    corrections: tuple[ClaimCorrection, ...]


@dataclass(frozen=True, slots=True)
class ClaimMonth:
    """One month that the claimed outage touches: its accounts, and the credit that follows."""

    month: str
    """``2026-10``."""
    start: Millis
    end: Millis
    """Its nominal end."""
    until: Millis
    """Where the accounts end: the month's end, or the moment of the answer."""
    final: bool
    closed: ClaimClosing | None
    """None where the month was not closed when the answer was given."""
    product: str
    clause: str
    """The clause of target and credit: ``5.1.2``, ``5.2.2``, ``5.3.2``."""
    up: Millis
    down: Millis
    excluded: Millis
    unknown: Millis
    availability: str | None
    lowest: str | None
    highest: str | None
    experienced: str | None
    coverage: str | None
    target: str
    target_met: bool | None
    percent: str
    """Of the monthly fee: ``0``, ``10``."""
    percent_lowest: str
    """What the lowest reading would pay."""
    percent_highest: str
    certain: bool
    band_from: str | None
    """The band's edges, both within it; None is open to that side, and both are where nothing was measured."""
    band_to: str | None
    floor: str
    """From here on no credit is paid."""
    fee: str | None
    """What is paid for ``fee_months`` months (6.4)."""
    fee_months: int
    currency: str | None
    amount: str | None
    credited_in: str
    """``2026-11`` (6.4)."""
    outages: tuple[ClaimOutage, ...]
    exclusions: tuple[ClaimExclusion, ...]
    decisions: tuple[ClaimDecision, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """What an answer was computed from: all that the journal held at a moment (6.3)."""

    entry: int
    """The newest entry."""
    hash: str
    at: Millis


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """The provider's answer (6.3)."""

    claim: ClaimFacts
    final: bool
    """Whether every month that it speaks of is over."""
    positive: bool
    note: str
    """What the provider adds; empty for nothing."""
    months: tuple[ClaimMonth, ...]
    records: Records


@dataclass(frozen=True, slots=True)
class AnswerLetter:
    """A claim is answered."""

    reader: Reader
    answer: ClaimAnswer


@dataclass(frozen=True, slots=True)
class RefusalLetter:
    """A claim is refused."""

    reader: Reader
    claim: ClaimFacts
    why: WhyRefused
    measured: tuple[str, ...] = ()
    """The checks that the subscription is measured on."""
    clause: str = ""
    """The clause that says so."""
