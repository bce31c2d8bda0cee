"""Counts the daemon's own work in memory since its start.

Plain integers and lists, changed on the event loop by the engine and read there by the metrics page: no locks and no
registry, so that no result waits. Instants are ``Millis``. The counters start at 0 with the process, as Prometheus
expects of a counter.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from monitor.model import Outcome
from monitor.probes.icmp.in_flight import PingCounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.ledger.support.deadlines import SupportDeadlines
    from monitor.model import Millis

LATENCY_BOUNDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds: from a ping in the same rack to a page that is just within its timeout."""
LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
"""Seconds: the lag of a healthy schedule is at most 50 ms."""
WRITE_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds of one write transaction, including the commit."""


class Histogram:
    """Observations in fixed buckets: a value belongs to the first bound that is not below it."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        """Inclusive upper bounds, ascending; values above the last are counted in one more bucket."""
        self.counts = [0] * (len(bounds) + 1)
        """Per bucket, not cumulative."""
        self.total = 0.0
        """The sum of all observations."""

    def observe(self, value: float) -> None:
        """Count one value, in the unit of the bounds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class ProberCounts:
    """The counts of the results of one check type."""

    __slots__ = ("failed", "latency", "results", "unknown")

    def __init__(self) -> None:
        self.results = 0
        """All results, of any outcome."""
        self.failed = 0
        self.unknown = 0
        self.latency = Histogram(LATENCY_BOUNDS)


class Telemetry:
    """The daemon's own counters; the daemon creates one object and passes it in. Each method records one event."""

    def __init__(self) -> None:
        self.probers: dict[str, ProberCounts] = {}
        self.lag = Histogram(LAG_BOUNDS)
        self.slots_missed = 0
        self.pings = PingCounts()
        """The pinger's own counts."""
        self.last_sweep: Millis | None = None
        self.last_sweep_monotonic: float | None = None
        self.canaries: dict[str, bool | None] = {}
        """By address: whether it answered its last probe; None before the first result."""
        self.emails_sent = 0
        self.emails_failed = 0
        self.writes = Histogram(WRITE_BOUNDS)
        self.database_errors = 0
        self.database_size: int | None = None
        self.database_lost = False
        """Whether the database file is lost, or lacks what was recorded."""
        self.claims_open: int | None = None
        self.claims_overdue: int | None = None
        self.support_deadlines: SupportDeadlines | None = None
        """Pending hardware and tickets; None before the first read."""
        self.journal_entries: int | None = None
        self.journal_verified: Millis | None = None
        self.figures_drift = 0
        """Live figures that the daily self-check found different from the ledger."""
        self.clock_behind: Millis = 0
        """By how much the newest record lies after the wall clock; 0 where it does not."""
        self.clock_holds = False
        """Whether mails to customers and the closing of months wait for a decision about the clock."""
        self.reload_succeeded: bool | None = None
        self.reloaded_at: Millis | None = None

    def count_result(self, prober: str, outcome: Outcome, latency_us: int | None) -> None:
        """Count a result of a check of type ``prober``; ``latency_us`` in microseconds, None unless it was ok."""
        counts = self.probers.get(prober)
        if counts is None:
            counts = self.probers[prober] = ProberCounts()
        counts.results += 1
        if outcome is Outcome.FAIL:
            counts.failed += 1
        elif outcome is Outcome.UNKNOWN:
            counts.unknown += 1
        if latency_us is not None:
            counts.latency.observe(latency_us / 1_000_000)

    def observe_lag(self, lag: float) -> None:
        """Count a check that started ``lag`` seconds after its slot (a negative lag from rounding counts as 0)."""
        self.lag.observe(max(lag, 0.0))

    def count_missed_slots(self, count: int = 1) -> None:
        """Count slots in which the check did not start; their time is unknown."""
        self.slots_missed += count

    def sweep_done(self, at: Millis, monotonic: float) -> None:
        """Record when a sweep was complete: recorded time to display, monotonic time for ages."""
        self.last_sweep = at
        self.last_sweep_monotonic = monotonic

    def set_canaries(self, addresses: Iterable[str]) -> None:
        """Set the configured canaries; the states of others are removed."""
        self.canaries = {address: self.canaries.get(address) for address in addresses}

    def set_canary(self, address: str, *, ok: bool) -> None:
        """Record whether a canary answered; one that was removed from the configuration is ignored."""
        if address in self.canaries:
            self.canaries[address] = ok

    def mail_sent(self) -> None:
        """Count a mail that the transport accepted."""
        self.emails_sent += 1

    def mail_failed(self) -> None:
        """Count a failed attempt to send a mail, temporary or permanent."""
        self.emails_failed += 1

    def observe_write(self, seconds: float) -> None:
        """Count a write transaction that was committed ``seconds`` after its start."""
        self.writes.observe(seconds)

    def write_failed(self) -> None:
        """Count a write transaction that failed and was rolled back, or could not start."""
        self.database_errors += 1

    def database_measured(self, size: int) -> None:
        """Record the size of the database on disk in bytes, including its write-ahead log."""
        self.database_size = size

    def set_open_claims(self, open_count: int, overdue_count: int) -> None:
        """Record how many claims wait for an answer, and how many of these answers are overdue."""
        self.claims_open = open_count
        self.claims_overdue = overdue_count

    def set_support_deadlines(self, deadlines: SupportDeadlines) -> None:
        """Record the pending deadlines of hardware and tickets."""
        self.support_deadlines = deadlines

    def set_journal_entries(self, entries: int) -> None:
        """Record the number of journal entries."""
        self.journal_entries = entries

    def set_journal_verified(self, entries: int, at: Millis) -> None:
        """Record a successful verification of the journal's chain over ``entries`` entries."""
        self.journal_entries = entries
        self.journal_verified = at

    def figures_drifted(self, count: int) -> None:
        """Count live figures that differed from the recomputed ones and were corrected."""
        self.figures_drift += count

    def set_clock(self, *, behind: Millis, holds: bool) -> None:
        """Note by how much the wall clock is behind the records, and whether that holds anything up."""
        self.clock_behind = behind
        self.clock_holds = holds

    def reloaded(self, *, ok: bool, at: Millis) -> None:
        """Record that the configuration was read, at start or on a signal, and applied (``ok``) or refused."""
        self.reload_succeeded = ok
        if ok:
            self.reloaded_at = at
