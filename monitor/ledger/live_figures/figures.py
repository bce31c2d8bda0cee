"""The figures of every subscription, advanced by what is new in the ledger instead of computed again.

For every subscription this keeps what each instant counts as (``classified_time``) and how the figures of both windows
go on (``window_figures``). It reads again only what a new run, a silent check or a recorded fact touches, and only the
results after the time that is final.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import compress, pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.ledger import exclusions, maintenance_windows
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.live_figures.classified_time import END_OF_TIME, build_timeline, extend_timeline
from monitor.ledger.live_figures.window_figures import project_month, project_rolling
from monitor.model import CheckKey, Span
from monitor.sla import maintenance as rules
from monitor.sla.calendar import month_of, rolling_span
from monitor.sla.terms import index_at, month_window, promise_periods, segments
from monitor.store import history_rebuild, journal, results
from monitor.store.history import runs_between

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from sqlite_utils import Database

    from monitor.ledger.live_figures.classified_time import CumulativeTimeline, IncrementalTimeline
    from monitor.ledger.live_figures.window_figures import WindowFigures, WindowName, WindowProjection
    from monitor.model import Millis, Run
    from monitor.sla.exclusions import Exclusion
    from monitor.sla.terms import PromisePeriod, Segment, Terms


# --- what figures depend on besides results at one moment: versions of the terms, and what does not count -------------


_MONTH = 33 * 86_400_000
"""Milliseconds: longer than any month in any zone."""


def recent_versions(ledger: LedgerView, current: Terms) -> tuple[Terms, ...]:
    """Return the versions of the terms that were in force in any window: most of many years are not even read."""
    start = min(ledger.at - _MONTH, rolling_span(ledger.at, current.rolling_days).start)
    return tuple(ledger.versions[index_at(ledger.versions, start) :])


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """The facts of the books, in a form that holds beyond the moment that they were read at."""

    current: Terms
    """The configuration that they were read under."""
    timezone_versions: tuple[Terms, ...]
    """The versions of the terms with which the zone of the months changed, and of them no more than that.

    One version of a large configuration takes megabytes.
    """
    exclusions: frozenset[Exclusion]
    """Those of an outage that is still open go to ``END_OF_TIME``."""
    open_outages: frozenset[int]
    """The numbers of those outages."""
    _by_server: Mapping[str | None, list[Exclusion]]

    @classmethod
    def from_ledger(cls, ledger: LedgerView, current: Terms) -> LedgerFacts:
        """Take them out of books that are open."""
        valid = [record for record in ledger.exclusion_records if record.withdrawn is None]
        found = [one for window in ledger.windows for one in rules.exclusions_of(window)]
        found += [record.exclusion(END_OF_TIME) for record in valid]
        growing = frozenset(record.outage for record in valid if record.end is None and record.outage is not None)
        by_server: dict[str | None, list[Exclusion]] = {}
        for one in found:
            for server in one.servers or (None,):
                by_server.setdefault(server, []).append(one)
        recent = recent_versions(ledger, current)
        changed = [True, *(one.timezone != other.timezone for one, other in pairwise(recent))]
        zones = (replace(one, servers={}, subscriptions={}, customers={}) for one in compress(recent, changed))
        return cls(current, tuple(zones), frozenset(found), growing, by_server)

    def month_at(self, at: Millis) -> Span:
        """Return the calendar month in which an instant lies."""
        return month_window(self.timezone_versions, *month_of(at, self.current.timezone))

    def applicable_exclusions(self, parts: Iterable[Segment]) -> list[Exclusion]:
        """Return the exclusions that may concern the servers of some segments."""
        servers = dict.fromkeys(part.server for part in parts)
        return [one for server in (None, *servers) for one in self._by_server.get(server, ())]


FIGURE_EVENTS: Final = ("terms", *maintenance_windows.MAINTENANCE_EVENTS, *exclusions.EXCLUSION_EVENTS)
"""What figures hang on, besides results."""
FigureChange: TypeAlias = "tuple[str, WindowName, WindowFigures | None]"
"""The figures of one subscription's window as they are now; None: it is not in that window."""
CLOCK_MARGIN: Final = 86_400_000
"""Milliseconds that are kept before the windows' start, for a clock that is set back."""


@dataclass(slots=True)
class _SubscriptionFigures:
    """What is kept of one subscription."""

    since: Millis
    """Where its segments begin."""
    segments: tuple[Segment, ...]
    promises: tuple[PromisePeriod, ...]
    timeline: IncrementalTimeline
    valid_until: Millis
    """As of the last look at the newest results."""
    month: WindowProjection | None = None
    rolling: WindowProjection | None = None


class LiveFigures:
    """The kept figures; empty until they first catch up. No two of its methods may be called at the same time."""

    def __init__(self) -> None:
        self._entries: dict[str, _SubscriptionFigures] = {}
        self._subscriptions_by_check: dict[CheckKey, list[str]] = {}
        """Which subscriptions each check is measured for."""
        self._facts: LedgerFacts | None = None
        """As of the last time that they were read; None before."""
        self.needs_rebuild = True
        """Whether everything will be read from the beginning when next catching up."""
        self._numbers: dict[CheckKey, int] = {}
        self._last_entry = 0
        """The number of the newest entry of the journal that was looked at."""
        self.now: Millis = 0
        """The moment that the figures are as of."""
        self._latest: Millis = 0
        """The latest moment that was ever seen."""
        self._month = self._rolling = Span(0, 0)

    @property
    def current(self) -> Terms | None:
        """The configuration that the figures were read under; None before the first time."""
        return self._facts.current if self._facts else None

    @property
    def names(self) -> list[str]:
        """Every subscription that is kept."""
        return [*self._entries]

    def stale_subscriptions(
        self, names: Iterable[str], now: Millis, newest_result: Callable[[CheckKey], Millis | None]
    ) -> set[str]:
        """Return the subscriptions of which a check went silent or gives results again; see ``IncrementalTimeline``.

        One with a check of which a run began may be missing: what began is caught up with anyway.
        """
        found: set[str] = set()
        for name in names:
            entry = self._entries[name]
            if entry.valid_until < now:
                entry.valid_until = entry.timeline.valid_until(newest_result)
            if entry.valid_until < now or (
                entry.timeline.stale_checks and entry.timeline.has_new_results(newest_result)
            ):
                found.add(name)
        return found

    def catch_up(
        self,
        db: Database,
        now: Millis,
        current: Terms,
        checks_with_new_runs: Collection[CheckKey] = (),
        stale: Iterable[str] = (),
    ) -> None:
        """Take in what is new as of now: facts, the checks of which a run began, the subscriptions that went silent."""
        self._latest = max(self._latest, now)
        facts, imported = self._read_journal(db)
        # a clock that was set back leaves facts, and imports, that have not happened yet
        behind = now < self._latest or (imported and bool(history_rebuild.imports_recorded_after(db, now)))
        due = {name for key in checks_with_new_runs for name in self._subscriptions_by_check.get(key, ())}.union(stale)
        self.now = now
        if self._facts is None or behind or facts or imported or self._facts.current is not current:
            self._reload_facts(db, current, due, rebuild_all=behind or imported)
        else:
            self._set_windows(self._facts)
            for name in due & self._entries.keys():
                self._extend(db, self._entries[name], self._facts)
        self.needs_rebuild = behind

    def _read_journal(self, db: Database) -> tuple[bool, bool]:
        """Look through the journal: whether there are new facts, and whether results may have been imported."""
        since, self._last_entry = self._last_entry, journal.length(db)
        times = journal.recorded_at(db, since, *FIGURE_EVENTS)
        self._latest = max(self._latest, *times, 0)
        if self.needs_rebuild:
            return True, True
        growing = self._facts.open_outages if self._facts else frozenset()
        ended = imported = False
        for entry in journal.entries_after(db, since, "outage-ended", "results"):
            if entry.kind == "results":
                imported = imported or entry.body["source"] == "import"
            elif entry.body["outage"] in growing:
                ended, self._latest = True, max(self._latest, entry.at)
        return bool(times) or ended, imported

    def _set_windows(self, facts: LedgerFacts) -> Millis:
        """Return the first instant that any window has."""
        self._month = facts.month_at(self.now)
        self._rolling = rolling_span(self.now, facts.current.rolling_days)
        return min(self._month.start, self._rolling.start)

    def _reload_facts(self, db: Database, current: Terms, to_extend: set[str], *, rebuild_all: bool) -> None:
        """Read every fact, and again whatever subscription they touch."""
        books = LedgerView(db, self.now, current)
        before, facts = self._facts, LedgerFacts.from_ledger(books, current)
        self._facts = facts
        start = self._set_windows(facts)
        anew = rebuild_all or before is None
        changed = before.exclusions ^ facts.exclusions if before else frozenset()
        kept, self._entries = self._entries, {}
        for name in dict.fromkeys(name for terms in recent_versions(books, current) for name in terms.subscriptions):
            entry = kept.get(name)
            if entry is None or anew or not self._is_current(books, name, entry, start, changed):
                entry = self._build(books, name, facts, start - CLOCK_MARGIN)
            else:
                entry.promises = promise_periods(books.versions, name, Span(entry.since, END_OF_TIME))
                entry.month = entry.rolling = None
                if name in to_extend:
                    self._extend(db, entry, facts)
            self._entries[name] = entry
        self._subscriptions_by_check = {}
        for name, entry in self._entries.items():
            for key in _measured_checks(entry.segments):
                self._subscriptions_by_check.setdefault(key, []).append(name)
        books.versions.close()

    @staticmethod
    def _is_current(
        ledger: LedgerView, name: str, entry: _SubscriptionFigures, start: Millis, changed: Collection[Exclusion]
    ) -> bool:
        """Whether what is kept of a subscription is true by these facts too."""
        return (
            entry.timeline.cumulative.starts[0] <= start
            and not any(one.applies_to(part.server) for one in changed for part in entry.segments)
            and segments(ledger.versions, name, Span(entry.since, END_OF_TIME), END_OF_TIME) == entry.segments
        )

    def _build(self, ledger: LedgerView, name: str, facts: LedgerFacts, since: Millis) -> _SubscriptionFigures:
        """Read all of one subscription from the books."""
        window = Span(since, END_OF_TIME)
        parts = segments(ledger.versions, name, window, END_OF_TIME)
        records = {key: ledger.history(key, window).runs for key in _measured_checks(parts)}
        kept = build_timeline(parts, records, facts.applicable_exclusions(parts), since, self.now)
        return _SubscriptionFigures(
            since, parts, promise_periods(ledger.versions, name, window), kept, kept.valid_until(_no_newer_result)
        )

    def _extend(self, db: Database, entry: _SubscriptionFigures, facts: LedgerFacts) -> None:
        """Read what came to one subscription since it was last read."""
        since = min(self._month.start, self._rolling.start) - CLOCK_MARGIN
        records = {key: self._runs(db, key, entry.timeline.final_until) for key in _measured_checks(entry.segments)}
        entry.timeline = extend_timeline(
            entry.timeline, entry.segments, records, facts.applicable_exclusions(entry.segments), self.now, since
        )
        entry.valid_until = entry.timeline.valid_until(_no_newer_result)
        entry.month = entry.rolling = None

    def _runs(self, db: Database, key: CheckKey, since: Millis) -> Sequence[Run]:
        if key not in self._numbers:
            self._numbers = results.check_ids(db)
        number = self._numbers.get(key)
        return () if number is None else runs_between(db, number, since, END_OF_TIME)

    def advance(self, names: Iterable[str]) -> list[FigureChange]:
        """Bring the figures of some subscriptions to the moment that was caught up with; give those that changed."""
        now = self.now
        changes: list[FigureChange] = []
        for name in names:
            entry = self._entries[name]
            outlook = entry.rolling
            if outlook is None or not outlook.at <= now < outlook.until:
                outlook = self._project_rolling(entry)
                changes.append((name, "rolling", outlook.figures_at(now)))
            elif not outlook.constant:
                changes.append((name, "rolling", outlook.figures_at(now)))
            outlook = entry.month
            if outlook is None or not outlook.at <= now < outlook.until:
                outlook = self._project_month(entry)
                changes.append((name, "month", outlook.figures_at(now)))
            elif not outlook.constant:
                changes.append((name, "month", outlook.figures_at(now)))
        return changes

    def _project_rolling(self, entry: _SubscriptionFigures) -> WindowProjection:
        entry.rolling = project_rolling(entry.timeline.cumulative, entry.promises, self._rolling.start, self.now)
        return entry.rolling

    def _project_month(self, entry: _SubscriptionFigures) -> WindowProjection:
        entry.month = project_month(entry.timeline.cumulative, entry.promises, self._month, self.now)
        return entry.month

    def figures(self, name: str) -> tuple[WindowFigures | None, WindowFigures | None]:
        """Return a month's and a rolling window's figures of one subscription as of ``now``."""
        entry = self._entries[name]
        month, rolling = entry.month or self._project_month(entry), entry.rolling or self._project_rolling(entry)
        return month.figures_at(self.now), rolling.figures_at(self.now)

    def timeline(self, name: str) -> CumulativeTimeline:
        """Return what every instant of one subscription counts as."""
        return self._entries[name].timeline.cumulative

    def invalidate(self) -> None:
        """Read everything from the beginning when next catching up."""
        self.needs_rebuild = True


def _measured_checks(parts: Iterable[Segment]) -> set[CheckKey]:
    return {CheckKey(part.server, name) for part in parts for name in part.checks}


def _no_newer_result(_: CheckKey) -> None:
    """Know of no newer result than those that were read."""
