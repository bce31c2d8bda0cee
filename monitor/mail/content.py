"""The content of each kind of mail, as frozen dataclasses.

The ledger and the engine fill them with facts; :func:`monitor.mail.compose.compose` renders them. Nothing here reads a
clock or the store. Instants are ``Millis``, lengths whole milliseconds; percentages and amounts are text as the
accounts print them (``99.73``), so no figure is rounded twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.model import CheckKey, Language, Millis, State

MaintenanceChange: TypeAlias = Literal["announced", "extended", "shortened", "cancelled"]
MaintenanceKind: TypeAlias = Literal["planned", "emergency"]
MAX_CERTIFICATES_LISTED: Final = 50
"""Certificates that a mail describes: the first to expire."""


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """A rendered mail; a Message adds its sender and recipients."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who reads the mail: the name, the language, the zone of every time in it, and the page with more information."""

    name: str
    """The customer's name; empty for the operators."""
    language: Language
    timezone: str
    """A zone's name: ``Europe/Istanbul``."""
    url: str
    """The public address of the monitor, or the customer's own page; empty if there is none."""


@dataclass(frozen=True, slots=True)
class OutageStarted:
    """A check's outage was confirmed."""

    kind: ClassVar[str] = "started"

    check: str
    since: Millis
    """Its first fail."""
    reason: str
    """The reason that the result has."""


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """A check's outage ended; durations are before exclusions."""

    kind: ClassVar[str] = "ended"

    check: str
    start: Millis
    """The first fail."""
    end: Millis
    """The first ok after it."""
    counted: Millis
    least: Millis
    most: Millis
    excluded: Millis = 0
    """The part of the counted duration that exclusions cover so far."""
    claim_deadline: Millis | None = None
    """The last moment at which credit can be claimed for it (6.2); None if no subscription is concerned."""


@dataclass(frozen=True, slots=True)
class FlappingStarted:
    """A check changes its state too often; one mail reports it, the next its end."""

    kind: ClassVar[str] = "flapping-started"

    check: str
    since: Millis
    changes: int
    """How many changes were seen since then."""


@dataclass(frozen=True, slots=True)
class FlappingEnded:
    """The state of a check that flapped is stable again."""

    kind: ClassVar[str] = "flapping-ended"

    check: str
    state: State
    since: Millis
    """The beginning of its present state."""
    flapping_since: Millis


OutageEvent: TypeAlias = OutageStarted | OutageEnded | FlappingStarted | FlappingEnded


@dataclass(frozen=True, slots=True)
class MonthToDate:
    """A subscription's availability in the month so far."""

    subscription: str
    month: str
    """``2026-10``."""
    availability: str | None
    """``99.73``; None if nothing was measured."""
    target: str
    """``99.75``."""
    target_met: bool | None


@dataclass(frozen=True, slots=True)
class ServerEvents:
    """The events of one sweep on a server, and on the servers behind it."""

    server: str
    events: tuple[OutageEvent, ...]
    """In the order of its checks; empty if it is named for its children only."""
    months_to_date: tuple[MonthToDate, ...] = ()
    """Of this recipient's subscriptions on it; shown where an outage ended."""
    children: tuple[ServerEvents, ...] = ()
    """Servers whose parent this is, in any depth."""

    def checks(self, kind: str) -> tuple[str, ...]:
        """Return the names of the checks with an event of this kind."""
        return tuple(event.check for event in self.events if event.kind == kind)


@dataclass(frozen=True, slots=True)
class EventGroup:
    """All servers of a mail with one kind of event, for the subject; at least one."""

    kind: str
    servers: tuple[ServerEvents, ...]
    root: ServerEvents | None
    """The server whose outage took down all the others, if there is one."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the servers."""
        return tuple(each.server for each in self.servers)

    @property
    def longest(self) -> Millis:
        """The longest outage that ended on the first server."""
        return max(event.counted for event in self.servers[0].events if isinstance(event, OutageEnded))

    @property
    def state(self) -> State:
        """The state of the first check that stopped flapping, on the first server."""
        return next(event.state for event in self.servers[0].events if isinstance(event, FlappingEnded))


@dataclass(frozen=True, slots=True)
class OutageMail:
    """The events of one sweep, for one recipient."""

    recipient: Recipient
    servers: tuple[ServerEvents, ...]

    @property
    def groups(self) -> tuple[EventGroup, ...]:
        """The servers by kind of event, the most important kind first."""
        found = []
        for kind in (OutageStarted.kind, OutageEnded.kind, FlappingStarted.kind, FlappingEnded.kind):
            if servers := tuple(each for each in _with_children(self.servers) if each.checks(kind)):
                top = self.servers[0]
                whole = kind == OutageStarted.kind and len(self.servers) == 1 and top is servers[0]
                found.append(EventGroup(kind, servers, top if whole and len(servers) > 1 else None))
        return tuple(found)


def _with_children(servers: Iterable[ServerEvents]) -> Iterator[ServerEvents]:
    """Yield every server, a parent before its children."""
    for each in servers:
        yield each
        yield from _with_children(each.children)


@dataclass(frozen=True, slots=True)
class MaintenanceMail:
    """A maintenance window is announced, or changed."""

    recipient: Recipient
    change: MaintenanceChange
    kind: MaintenanceKind
    id: int
    servers: tuple[str, ...]
    """Those that concern this recipient."""
    start: Millis
    end: Millis
    """The window as it stands now; of a cancelled one, as it stood."""
    reason: str
    reference: str = ""
    """The reference of an announcement made elsewhere."""
    previous_end: Millis | None = None
    """Of an extended or shortened window: where it ended before."""
    notice_shortfall: Millis = 0
    """How much of the 96 hours of notice this announcement lacks; 0: it qualifies (4.1, 4.9)."""


class OperatorNews(StrEnum):
    """Problems of the monitor itself."""

    NO_CONNECTIVITY = "blind"
    """No canary answers, or none can be probed: the monitor may have no network connection."""
    RESOURCES = "resources"
    """The monitor lacks descriptors, memory or threads, so checks are unknown."""
    ICMP = "icmp"
    """The operating system does not permit the monitor to send ICMP."""
    DEAD_LETTER = "dead-letter"
    STORE = "store"
    """Writes to the database failed for a while; reported when they succeed again."""
    RELOAD = "reload"
    """The configuration of a reload had faults; the running one stays in force."""
    JOURNAL = "journal"
    """The journal's hash chain is broken."""
    FIGURES_DRIFT = "figures"
    """Figures of the page and the metrics differed from the ledger."""
    CLOCK = "clock"
    """The wall clock and the newest record are apart: the clock was, or is, wrong."""
    CLAIM_OVERDUE = "overdue"
    """An answer to a claim is overdue (6.3)."""


@dataclass(frozen=True, slots=True)
class OperatorMail:
    """A problem of the monitor, for the operators alone."""

    recipient: Recipient
    news: OperatorNews
    at: Millis
    """The moment or the beginning of the problem."""
    lines: tuple[str, ...] = ()
    """Details, shown unchanged, one a line."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One subscription's month."""

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

    @property
    def bounded(self) -> bool:
        """Whether the bounds of the availability differ."""
        return None not in {self.availability, self.lowest, self.highest} and self.lowest != self.highest


@dataclass(frozen=True, slots=True)
class ReportMail:
    """The report of a month (docs/contract.md#the-month)."""

    recipient: Recipient
    month: str
    """``2026-10``."""
    rows: tuple[ReportRow, ...]


@dataclass(frozen=True, slots=True)
class TestMail:
    """A test of the delivery: ``monitor mail test ADDRESS``."""

    __test__ = False  # not a test class, whatever its name suggests to a test runner

    recipient: Recipient
    at: Millis
    transport: str
    """The transport: ``smtp mail.example.com:587 starttls``, ``file /var/lib/...``."""


@dataclass(frozen=True, slots=True)
class ExpiringCertificate:
    """One certificate, as it was seen last."""

    fingerprint: str
    """SHA-256, in hexadecimal digits."""
    expires: Millis
    days: int
    """Whole days left; negative where it has expired."""
    checks: tuple[CheckKey, ...]
    """Those that show it, at least one."""

    @property
    def names(self) -> tuple[str, ...]:
        """The checks, as a mail names them."""
        return tuple(f"{key.server} ({key.name})" for key in self.checks)

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers of the checks, each once."""
        return tuple(dict.fromkeys(key.server for key in self.checks))


@dataclass(frozen=True, slots=True)
class CertificateMail:
    """Certificates of one customer, the first to expire first; at least one."""

    recipient: Recipient
    certificates: tuple[ExpiringCertificate, ...]

    @property
    def listed(self) -> tuple[ExpiringCertificate, ...]:
        """The certificates that the mail describes."""
        return self.certificates[:MAX_CERTIFICATES_LISTED]

    @property
    def concerned(self) -> tuple[str, ...]:
        """All servers; the check where there is only one."""
        checks = tuple(dict.fromkeys(name for each in self.certificates for name in each.names))
        return (
            checks if len(checks) == 1 else tuple(dict.fromkeys(s for each in self.certificates for s in each.servers))
        )
