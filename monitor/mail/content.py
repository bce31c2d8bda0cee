"""What there is to tell: one frozen context for each kind of letter.

The engine fills these from facts; :func:`monitor.mail.rendering.compose.compose` turns one into words. Nothing here reads a
clock or the store. Instants are ``Millis``, lengths whole milliseconds; percentages are text as the accounts print
them (``99.73``), so no figure is rounded twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from monitor.model import Language, Millis, State

Change: TypeAlias = Literal["announced", "extended", "shortened", "cancelled"]
Kind: TypeAlias = Literal["planned", "emergency"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A composed letter; a Message adds whom it goes to."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the letter: the name, the language, the zone of every time in it, and where to look further."""

    name: str
    """The customer's name; empty for the operators."""
    language: Language
    timezone: str
    """A zone's name: ``Europe/Istanbul``."""
    url: str
    """Where to look: the public address, or the customer's own page; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Fell:
    """A check's outage was confirmed."""

    check: str
    since: Millis
    """Its first fail."""
    reason: str
    """What was seen, as the result says it."""


@dataclass(frozen=True, slots=True)
class Rose:
    """A check's outage ended; lengths are before exclusions (reading.md 4)."""

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
class FlappingBegan:
    """A check changes its state too often; told once, then nothing until it settles."""

    check: str
    since: Millis
    changes: int
    """How many changes were seen since then."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A check that flapped keeps its state again."""

    check: str
    state: State
    since: Millis
    """Since when it has the state."""
    flapping_since: Millis


Event: TypeAlias = Fell | Rose | FlappingBegan | Settled


@dataclass(frozen=True, slots=True)
class Standing:
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
class ServerNews:
    """What happened on one server in this sweep, and on the servers that hang on it."""

    server: str
    events: tuple[Event, ...]
    """In the order of its checks; empty where it is named for its children only."""
    standings: tuple[Standing, ...] = ()
    """Of this reader's subscriptions on it; told where a check rose."""
    children: tuple[ServerNews, ...] = ()
    """Servers whose parent this is, in any depth."""


@dataclass(frozen=True, slots=True)
class OutageLetter:
    """One sweep's falls and rises for one reader."""

    reader: Reader
    servers: tuple[ServerNews, ...]


@dataclass(frozen=True, slots=True)
class MaintenanceLetter:
    """A maintenance window is announced, or changed."""

    reader: Reader
    change: Change
    kind: Kind
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
    short_by: Millis = 0
    """By how much this announcement missed the 96 hours before what it announces; 0: it qualifies (4.1, 4.9)."""


class OperatorNews(StrEnum):
    """What concerns the monitor itself."""

    BLIND = "blind"
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
    FIGURES = "figures"
    """Figures of the page and the metrics had drifted from the books."""
    OVERDUE = "overdue"
    """An answer to a claim is overdue (6.3)."""


@dataclass(frozen=True, slots=True)
class OperatorLetter:
    """News for the operators alone."""

    reader: Reader
    news: OperatorNews
    at: Millis
    """Since when, or when."""
    lines: tuple[str, ...] = ()
    """The particulars, one a line, shown as they are."""


@dataclass(frozen=True, slots=True)
class MonthLine:
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
class ReportLetter:
    """The month's report is there (7)."""

    reader: Reader
    month: str
    """``2026-10``."""
    lines: tuple[MonthLine, ...]


@dataclass(frozen=True, slots=True)
class TestLetter:
    """Proof that mail leaves: ``monitor mail test ADDRESS``."""

    __test__ = False  # not a test class, whatever its name suggests to a test runner

    reader: Reader
    at: Millis
    transport: str
    """How it travels: ``smtp mail.example.com:587 starttls``, ``file /var/lib/...``."""
