"""The content of the mails about claims: a refusal, and an answer with every figure and its clause (6.2, 6.3).

The journal keeps an answer field by field, so its fields are integers, text, booleans and tuples of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from monitor.mail.content import Recipient
    from monitor.model import Millis

RefusalReason: TypeAlias = Literal["late", "not-measured"]
Verdict: TypeAlias = Literal["not-measured", "credited", "target-met", "not-credited"]
MAX_OUTAGES_LISTED: Final = 60
"""Outages of a month that an answer lists: a mail stays below the size at which mail programs cut it."""


@dataclass(frozen=True, slots=True)
class ClaimDetails:
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
    """An outage that touches the month; durations are those of the whole outage, before exclusions."""

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
    """A record that excludes time from the month (4.1 to 4.10), or one that does not because notice was short."""

    clause: str
    reference: str
    """``maintenance 12``, ``exclusion 3``."""
    reason: str
    length: Millis
    """The time of the month that it excludes."""
    short_by: Millis = 0
    """How much of its 96 hours of notice planned maintenance lacks; then it excludes nothing (4.1, 4.9)."""


@dataclass(frozen=True, slots=True)
class ClaimInterpretation:
    """How the agreement is interpreted at a place on which it is silent."""

    setting: str
    value: str
    clause: str


@dataclass(frozen=True, slots=True)
class ClaimCorrection:
    """A change of this subscription's figures after its month was closed; the answer has the figures after it."""

    entry: int
    """The number of its journal entry."""
    at: Millis
    why: str
    """``exclusion 3``, as the journal names its cause."""


@dataclass(frozen=True, slots=True)
class ClaimClosing:
    """The closing of a month: the figures are those of the closing, with the corrections since then."""

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
    """The end of the accounts: the month's end, or the moment of the answer."""
    final: bool
    closed: ClaimClosing | None
    """None if the month was not closed when the answer was given."""
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
    """At the lowest availability that the records allow."""
    percent_highest: str
    certain: bool
    band_from: str | None
    """The band's edges, both inclusive; None is open to that side, and both are None if nothing was measured."""
    band_to: str | None
    floor: str
    """From this availability on no credit is due."""
    fee: str | None
    """The fee for ``fee_months`` months (6.4)."""
    fee_months: int
    currency: str | None
    amount: str | None
    credited_in: str
    """``2026-11`` (6.4)."""
    outages: tuple[ClaimOutage, ...]
    exclusions: tuple[ClaimExclusion, ...]
    decisions: tuple[ClaimInterpretation, ...]

    @property
    def verdict(self) -> Verdict:
        """What follows from the figures."""
        if self.availability is None:
            return "not-measured"
        if self.percent != "0":
            return "credited"
        return "target-met" if self.target_met else "not-credited"

    @property
    def bounded(self) -> bool:
        """Whether the bounds of the availability differ from it."""
        return self.availability is not None and {self.lowest, self.highest} != {self.availability}

    def listed_outages(self, claimed: int) -> tuple[ClaimOutage, ...]:
        """Return the outages that the mail lists; where not all fit, the claimed one is the first."""
        if len(self.outages) <= MAX_OUTAGES_LISTED:
            return self.outages
        return tuple(sorted(self.outages, key=lambda one: one.id != claimed))[:MAX_OUTAGES_LISTED]


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The records from which an answer is computed: the journal at a moment (6.3)."""

    entry: int
    """The newest entry."""
    hash: str
    at: Millis


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """The provider's answer (6.3)."""

    claim: ClaimDetails
    final: bool
    """Whether each of its months is over."""
    positive: bool
    note: str
    """The provider's remark; may be empty."""
    months: tuple[ClaimMonth, ...]
    records: LedgerSnapshot

    @property
    def percent(self) -> str:
        """The highest rate of credit of its months."""
        return max((each.percent for each in self.months), key=int)

    @property
    def interpretations(self) -> tuple[ClaimInterpretation, ...]:
        """Those of all months, each once."""
        return tuple(dict.fromkeys(one for each in self.months for one in each.decisions))


@dataclass(frozen=True, slots=True)
class ClaimAnswerMail:
    """A claim is answered."""

    recipient: Recipient
    answer: ClaimAnswer


@dataclass(frozen=True, slots=True)
class ClaimRefusalMail:
    """A claim is refused."""

    recipient: Recipient
    claim: ClaimDetails
    reason: RefusalReason
    measured_checks: tuple[str, ...] = ()
    """The checks by which the subscription is measured."""
    clause: str = ""
    """The clauses for it."""
