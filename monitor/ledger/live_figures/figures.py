"""The figures of all subscriptions, updated by the changes of the ledger instead of computed from scratch.

For each subscription this stores the class of every instant (``classified_time``) and the projection of both windows'
figures (``window_figures``). It reads again only the subscriptions that a new run, a check without results or a new
fact affects, and of these only the results after the time that is final.
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


# --- the facts that figures depend on besides results: the terms and the exclusions -----------------------------------


_MONTH = 33 * 86_400_000
"""Milliseconds: longer than any month in any zone."""


def recent_versions(ledger: LedgerView, current: Terms) -> tuple[Terms, ...]:
    """Return the versions of the terms that were in force in any window; older versions are not read."""
    start = min(ledger.at - _MONTH, rolling_span(ledger.at, current.rolling_days).start)
    return tuple(ledger.versions[index_at(ledger.versions, start) :])


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """The facts that figures depend on, in a form that stays valid after the moment of reading."""

    current: Terms
    """The configured terms at the time of reading."""
    timezone_versions: tuple[Terms, ...]
    """The versions of the terms that changed the time zone, reduced to the zone.

    One complete version of a large configuration takes megabytes.
    """
    exclusions: frozenset[Exclusion]
    """Exclusions of outages that are still open end at ``END_OF_TIME``."""
    open_outages: frozenset[int]
    """The ids of those outages."""
    _by_server: Mapping[str | None, list[Exclusion]]

    @classmethod
    def from_ledger(cls, ledger: LedgerView, current: Terms) -> LedgerFacts:
        """Read the facts from a ledger view."""
        valid = [record for record in ledger.exclusion_records if record.withdrawn is None]
        all_exclusions = [exclusion for window in ledger.windows for exclusion in rules.exclusions_of(window)]
        all_exclusions += [record.exclusion(END_OF_TIME) for record in valid]
        open_outages = frozenset(record.outage for record in valid if record.end is None and record.outage is not None)
        by_server: dict[str | None, list[Exclusion]] = {}
        for exclusion in all_exclusions:
            for server in exclusion.servers or (None,):
                by_server.setdefault(server, []).append(exclusion)
        versions = recent_versions(ledger, current)
        zone_changed = [True, *(old.timezone != new.timezone for old, new in pairwise(versions))]
        zones = (
            replace(terms, servers={}, subscriptions={}, customers={}) for terms in compress(versions, zone_changed)
        )
        return cls(current, tuple(zones), frozenset(all_exclusions), open_outages, by_server)

    def month_at(self, at: Millis) -> Span:
        """Return the calendar month that contains an instant."""
        return month_window(self.timezone_versions, *month_of(at, self.current.timezone))

    def applicable_exclusions(self, parts: Iterable[Segment]) -> list[Exclusion]:
        """Return the exclusions that can apply to the servers of some segments."""
        servers = dict.fromkeys(part.server for part in parts)
        return [exclusion for server in (None, *servers) for exclusion in self._by_server.get(server, ())]


FIGURE_EVENTS: Final = ("terms", *maintenance_windows.MAINTENANCE_EVENTS, *exclusions.EXCLUSION_EVENTS)
"""The journal kinds that affect figures, besides results."""
FigureChange: TypeAlias = "tuple[str, WindowName, WindowFigures | None]"
"""The present figures of one subscription's window; None: the subscription is not in the window."""
CLOCK_MARGIN: Final = 86_400_000
"""Milliseconds that are stored before the start of the windows, in case the clock is set back."""


@dataclass(slots=True)
class _SubscriptionFigures:
    """The stored state of one subscription."""

    since: Millis
    """The start of its segments."""
    segments: tuple[Segment, ...]
    promises: tuple[PromisePeriod, ...]
    timeline: IncrementalTimeline
    valid_until: Millis
    """As of the last call with the newest results."""
    month: WindowProjection | None = None
    rolling: WindowProjection | None = None


class LiveFigures:
    """The live figures, empty until the first ``catch_up``. Methods must not be called concurrently."""

    def __init__(self) -> None:
        self._entries: dict[str, _SubscriptionFigures] = {}
        self._subscriptions_by_check: dict[CheckKey, list[str]] = {}
        """The subscriptions that each check measures."""
        self._facts: LedgerFacts | None = None
        """The facts as last read; None before the first time."""
        self.needs_rebuild = True
        """Whether the next ``catch_up`` reads everything from scratch."""
        self._check_ids: dict[CheckKey, int] = {}
        self._last_entry = 0
        """The number of the newest journal entry that was read."""
        self.now: Millis = 0
        """The moment of the figures."""
        self._latest: Millis = 0
        """The latest moment seen so far."""
        self._month = self._rolling = Span(0, 0)

    @property
    def current(self) -> Terms | None:
        """The configured terms at the last ``catch_up``; None before the first."""
        return self._facts.current if self._facts else None

    @property
    def names(self) -> list[str]:
        """The ids of all subscriptions with figures."""
        return [*self._entries]

    def stale_subscriptions(
        self, names: Iterable[str], now: Millis, newest_result: Callable[[CheckKey], Millis | None]
    ) -> set[str]:
        """Return the subscriptions with a check that has no recent results, or new ones (``IncrementalTimeline``).

        A subscription with a new run may be missing: ``catch_up`` reads these anyway.
        """
        stale: set[str] = set()
        for name in names:
            entry = self._entries[name]
            if entry.valid_until < now:
                entry.valid_until = entry.timeline.valid_until(newest_result)
            if entry.valid_until < now or (
                entry.timeline.stale_checks and entry.timeline.has_new_results(newest_result)
            ):
                stale.add(name)
        return stale

    def catch_up(
        self,
        db: Database,
        now: Millis,
        current: Terms,
        checks_with_new_runs: Collection[CheckKey] = (),
        stale: Iterable[str] = (),
    ) -> None:
        """Update to ``now``: read new facts, the checks with new runs and the stale subscriptions."""
        self._latest = max(self._latest, now)
        facts, imported = self._read_journal(db)
        # after the clock was set back, some facts and imports are in the future
        clock_behind = now < self._latest or (imported and bool(history_rebuild.imports_recorded_after(db, now)))
        due = {name for key in checks_with_new_runs for name in self._subscriptions_by_check.get(key, ())}.union(stale)
        self.now = now
        if self._facts is None or clock_behind or facts or imported or self._facts.current is not current:
            self._reload_facts(db, current, due, rebuild_all=clock_behind or imported)
        else:
            self._set_windows(self._facts)
            for name in due & self._entries.keys():
                self._extend(db, self._entries[name], self._facts)
        self.needs_rebuild = clock_behind

    def _read_journal(self, db: Database) -> tuple[bool, bool]:
        """Read the journal; return whether there are new facts, and whether results may have been imported."""
        since, self._last_entry = self._last_entry, journal.length(db)
        times = journal.recorded_at(db, since, *FIGURE_EVENTS)
        self._latest = max(self._latest, *times, 0)
        if self.needs_rebuild:
            return True, True
        open_outages = self._facts.open_outages if self._facts else frozenset()
        outage_ended = imported = False
        for entry in journal.entries_after(db, since, "outage-ended", "results"):
            if entry.kind == "results":
                imported = imported or entry.body["source"] == "import"
            elif entry.body["outage"] in open_outages:
                outage_ended, self._latest = True, max(self._latest, entry.at)
        return bool(times) or outage_ended, imported

    def _set_windows(self, facts: LedgerFacts) -> Millis:
        """Set both windows for ``now``; return the earlier start."""
        self._month = facts.month_at(self.now)
        self._rolling = rolling_span(self.now, facts.current.rolling_days)
        return min(self._month.start, self._rolling.start)

    def _reload_facts(self, db: Database, current: Terms, to_extend: set[str], *, rebuild_all: bool) -> None:
        """Read all facts, and the subscriptions that changed facts affect."""
        ledger = LedgerView(db, self.now, current)
        old_facts, facts = self._facts, LedgerFacts.from_ledger(ledger, current)
        self._facts = facts
        start = self._set_windows(facts)
        rebuild = rebuild_all or old_facts is None
        changed_exclusions = old_facts.exclusions ^ facts.exclusions if old_facts else frozenset()
        old_entries, self._entries = self._entries, {}
        for name in dict.fromkeys(name for terms in recent_versions(ledger, current) for name in terms.subscriptions):
            entry = old_entries.get(name)
            if entry is None or rebuild or not self._is_current(ledger, name, entry, start, changed_exclusions):
                entry = self._build(ledger, name, facts, start - CLOCK_MARGIN)
            else:
                entry.promises = promise_periods(ledger.versions, name, Span(entry.since, END_OF_TIME))
                entry.month = entry.rolling = None
                if name in to_extend:
                    self._extend(db, entry, facts)
            self._entries[name] = entry
        self._subscriptions_by_check = {}
        for name, entry in self._entries.items():
            for key in _measured_checks(entry.segments):
                self._subscriptions_by_check.setdefault(key, []).append(name)
        ledger.versions.close()

    @staticmethod
    def _is_current(
        ledger: LedgerView, name: str, entry: _SubscriptionFigures, start: Millis, changed: Collection[Exclusion]
    ) -> bool:
        """Return whether the stored state of a subscription is valid with the new facts too."""
        return (
            entry.timeline.cumulative.starts[0] <= start
            and not any(exclusion.applies_to(part.server) for exclusion in changed for part in entry.segments)
            and segments(ledger.versions, name, Span(entry.since, END_OF_TIME), END_OF_TIME) == entry.segments
        )

    def _build(self, ledger: LedgerView, name: str, facts: LedgerFacts, since: Millis) -> _SubscriptionFigures:
        """Read one subscription completely from the ledger."""
        window = Span(since, END_OF_TIME)
        parts = segments(ledger.versions, name, window, END_OF_TIME)
        records = {key: ledger.history(key, window).runs for key in _measured_checks(parts)}
        timeline = build_timeline(parts, records, facts.applicable_exclusions(parts), since, self.now)
        return _SubscriptionFigures(
            since,
            parts,
            promise_periods(ledger.versions, name, window),
            timeline,
            timeline.valid_until(_no_newer_result),
        )

    def _extend(self, db: Database, entry: _SubscriptionFigures, facts: LedgerFacts) -> None:
        """Read the new results of one subscription."""
        since = min(self._month.start, self._rolling.start) - CLOCK_MARGIN
        records = {key: self._runs(db, key, entry.timeline.final_until) for key in _measured_checks(entry.segments)}
        entry.timeline = extend_timeline(
            entry.timeline, entry.segments, records, facts.applicable_exclusions(entry.segments), self.now, since
        )
        entry.valid_until = entry.timeline.valid_until(_no_newer_result)
        entry.month = entry.rolling = None

    def _runs(self, db: Database, key: CheckKey, since: Millis) -> Sequence[Run]:
        if key not in self._check_ids:
            self._check_ids = results.check_ids(db)
        check_id = self._check_ids.get(key)
        return () if check_id is None else runs_between(db, check_id, since, END_OF_TIME)

    def advance(self, names: Iterable[str]) -> list[FigureChange]:
        """Advance the figures of some subscriptions to ``now``; return those that changed."""
        now = self.now
        changes: list[FigureChange] = []
        for name in names:
            entry = self._entries[name]
            projection = entry.rolling
            if projection is None or not projection.at <= now < projection.until:
                projection = self._project_rolling(entry)
                changes.append((name, "rolling", projection.figures_at(now)))
            elif not projection.constant:
                changes.append((name, "rolling", projection.figures_at(now)))
            projection = entry.month
            if projection is None or not projection.at <= now < projection.until:
                projection = self._project_month(entry)
                changes.append((name, "month", projection.figures_at(now)))
            elif not projection.constant:
                changes.append((name, "month", projection.figures_at(now)))
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
        """Return the class of every instant of one subscription."""
        return self._entries[name].timeline.cumulative

    def invalidate(self) -> None:
        """Make the next ``catch_up`` read everything from scratch."""
        self.needs_rebuild = True


def _measured_checks(parts: Iterable[Segment]) -> set[CheckKey]:
    return {CheckKey(part.server, name) for part in parts for name in part.checks}


def _no_newer_result(_: CheckKey) -> None:
    """Return None: there is no newer result than those that were read."""
