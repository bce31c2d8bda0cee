"""What there is to tell: one frozen context for each kind of letter.

The engine fills these from facts; :func:`monitor.mail.rendering.compose.compose` turns one into words. Nothing here
reads a clock or the store. Instants are ``Millis``, lengths whole milliseconds; percentages are text as the accounts
print them (``99.73``), so no figure is rounded twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from monitor.model import Language, Millis, State

MaintenanceChange: TypeAlias = Literal["announced", "extended", "shortened", "cancelled"]
MaintenanceKind: TypeAlias = Literal["planned", "emergency"]


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """A composed letter; a Message adds whom it goes to."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who reads the letter: the name, the language, the zone of every time in it, and where to look further."""

    name: str
    """The customer's name; empty for the operators."""
    language: Language
    timezone: str
    """A zone's name: ``Europe/Istanbul``."""
    url: str
    """Where to look: the public address, or the customer's own page; empty where there is none."""


@dataclass(frozen=True, slots=True)
class OutageStarted:
    """A check's outage was confirmed."""

    check: str
    since: Millis
    """Its first fail."""
    reason: str
    """What was seen, as the result says it."""


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """A check's outage ended; lengths are before exclusions."""

    check: str
    start: Millis
    """The first fail."""
    end: Millis
    """The first ok after it."""
    counted: Millis
    least: Millis
    most: Millis
    excluded: Millis = 0
    """How much of the counted length exclusions cover as it stands."""
    claim_deadline: Millis | None = None
    """The last moment at which credit can be claimed for it (6.2); None where no subscription hangs on it."""


@dataclass(frozen=True, slots=True)
class FlappingStarted:
    """A check changes its state too often; told once, then nothing until it settles."""

    check: str
    since: Millis
    changes: int
    """How many changes were seen since then."""


@dataclass(frozen=True, slots=True)
class FlappingEnded:
    """A check that flapped keeps its state again."""

    check: str
    state: State
    since: Millis
    """Since when it has the state."""
    flapping_since: Millis


OutageEvent: TypeAlias = OutageStarted | OutageEnded | FlappingStarted | FlappingEnded


@dataclass(frozen=True, slots=True)
class MonthToDate:
    """How a subscription stands in the month so far."""

    subscription: str
    month: str
    """``2026-10``."""
    availability: str | None
    """``99.73``; None where nothing was measured."""
    target: str
    """``99.75``."""
    target_met: bool | None


@dataclass(frozen=True, slots=True)
class ServerEvents:
    """What happened on one server in this sweep, and on the servers that hang on it."""

    server: str
    events: tuple[OutageEvent, ...]
    """In the order of its checks; empty where it is named for its children only."""
    months_to_date: tuple[MonthToDate, ...] = ()
    """Of this reader's subscriptions on it; told where a check rose."""
    children: tuple[ServerEvents, ...] = ()
    """Servers whose parent this is, in any depth."""


@dataclass(frozen=True, slots=True)
class OutageMail:
    """One sweep's falls and rises for one reader."""

    recipient: Recipient
    servers: tuple[ServerEvents, ...]


@dataclass(frozen=True, slots=True)
class MaintenanceMail:
    """A maintenance window is announced, or changed."""

    recipient: Recipient
    change: MaintenanceChange
    kind: MaintenanceKind
    id: int
    servers: tuple[str, ...]
    """Those that concern this reader."""
    start: Millis
    end: Millis
    """The window as it stands now; of a cancelled one, as it stood."""
    reason: str
    reference: str = ""
    """The reference of an announcement made elsewhere."""
    previous_end: Millis | None = None
    """Of an extended or shortened window: where it ended before."""
    notice_shortfall: Millis = 0
    """By how much this announcement missed the 96 hours before what it announces; 0: it qualifies (4.1, 4.9)."""


class OperatorNews(StrEnum):
    """What concerns the monitor itself."""

    NO_CONNECTIVITY = "blind"
    """All canaries fail: failures are recorded as unknown, no customer is told."""
    ICMP = "icmp"
    """The system does not let the monitor send ICMP."""
    DEAD_LETTER = "dead-letter"
    STORE = "store"
    """The database refused for a while; told when it takes what is written again."""
    RELOAD = "reload"
    """A reload had faults; the running configuration stays."""
    JOURNAL = "journal"
    """The journal's chain does not hold."""
    FIGURES_DRIFT = "figures"
    """Figures of the page and the metrics had drifted from the books."""
    CLAIM_OVERDUE = "overdue"
    """An answer to a claim is overdue (6.3)."""


@dataclass(frozen=True, slots=True)
class OperatorMail:
    """News for the operators alone."""

    recipient: Recipient
    news: OperatorNews
    at: Millis
    """Since when, or when."""
    lines: tuple[str, ...] = ()
    """The particulars, one a line, shown as they are."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One subscription's month, for the letter that brings the report."""

    subscription: str
    server: str
    availability: str | None
    lowest: str | None
    highest: str | None
    coverage: str | None
    target: str
    target_met: bool | None
    down: Millis
    excluded: Millis
    credit_percent: str
    """``0``, ``10``."""
    credit_certain: bool
    credit_amount: str | None = None
    """With its currency: ``4.99 USD``."""


@dataclass(frozen=True, slots=True)
class ReportMail:
    """The month's report is there (7)."""

    recipient: Recipient
    month: str
    """``2026-10``."""
    rows: tuple[ReportRow, ...]


@dataclass(frozen=True, slots=True)
class TestMail:
    """Proof that mail leaves: ``monitor mail test ADDRESS``."""

    __test__ = False  # not a test class, whatever its name suggests to a test runner

    recipient: Recipient
    at: Millis
    transport: str
    """How it travels: ``smtp mail.example.com:587 starttls``, ``file /var/lib/...``."""


# --- claims (6.2, 6.3); an answer is a journal payload, field by field: integers, text, booleans, tuples of these

RefusalReason: TypeAlias = Literal["late", "not-measured"]


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
    """An outage that touches the month; its lengths are whole, before exclusions."""

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
class ClaimInterpretation:
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
    decisions: tuple[ClaimInterpretation, ...]


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """What an answer was computed from: all that the journal held at a moment (6.3)."""

    entry: int
    """The newest entry."""
    hash: str
    at: Millis


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """The provider's answer (6.3)."""

    claim: ClaimDetails
    final: bool
    """Whether every month that it speaks of is over."""
    positive: bool
    note: str
    """What the provider adds; empty for nothing."""
    months: tuple[ClaimMonth, ...]
    records: LedgerSnapshot


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
    """The checks that the subscription is measured on."""
    clause: str = ""
    """The clause that says so."""
