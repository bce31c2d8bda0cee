"""The figures of every subscription, kept: advanced by what is new in the books, not computed again.

What each instant counts as is kept for every subscription (``sla/live/classified_time.py``), and how the figures of both windows
go on (``sla/live/window_figures.py``). Only what a new run, a silent check or a recorded fact touches is read again, and of
the results only those that came after what is settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.ledger import exclusions, maintenance_windows
from monitor.ledger.accounts.accounts import Books
from monitor.ledger.facts import Facts, versions_since
from monitor.model import CheckKey, Span
from monitor.sla.calendar import rolling_span
from monitor.sla.kept import keep, resume
from monitor.sla.live.classified_time import FAR
from monitor.sla.live.window_figures import calendar_outlook, rolling_outlook
from monitor.sla.segments import promises, segments
from monitor.store import history_rebuild, journal, results
from monitor.store.history import runs_between

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sqlite_utils import Database

    from monitor.model import Millis, Run
    from monitor.sla.exclusions import Exclusion
    from monitor.sla.kept import Kept
    from monitor.sla.live.classified_time import Course
    from monitor.sla.live.window_figures import Figures, Outlook, WindowName
    from monitor.sla.segments import Promise, Segment
    from monitor.sla.terms import Terms

FACTS: Final = ("terms", *maintenance_windows.KINDS, *exclusions.KINDS)
"""What figures hang on, besides results."""
Change: TypeAlias = "tuple[str, WindowName, Figures | None]"
"""The figures of one subscription's window as they are now; None: it is not in that window."""
MARGIN: Final = 86_400_000
"""Milliseconds that are kept before the windows' start, for a clock that is set back."""


@dataclass(slots=True)
class _Entry:
    """What is kept of one subscription."""

    since: Millis
    """Where its segments begin."""
    segments: tuple[Segment, ...]
    promises: tuple[Promise, ...]
    kept: Kept
    sure: Millis
    """As of the last look at the newest results."""
    month: Outlook | None = None
    rolling: Outlook | None = None


class Keeping:
    """The kept figures; empty until they first catch up. No two of its methods may be called at the same time."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._measured: dict[CheckKey, list[str]] = {}
        """Which subscriptions each check is measured for."""
        self._facts: Facts | None = None
        """As of the last time that they were read; None before."""
        self.stale = True
        """Whether everything will be read from the beginning when next catching up."""
        self._numbers: dict[CheckKey, int] = {}
        self._seen = 0
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

    def silent(self, names: Iterable[str], now: Millis, newest: Callable[[CheckKey], Millis | None]) -> set[str]:
        """Give those of some subscriptions of which a check has fallen silent, or has spoken again; see ``Kept``.

        One with a check of which a run began may be missing: what began is caught up with anyway.
        """
        found: set[str] = set()
        for name in names:
            entry = self._entries[name]
            if entry.sure < now:
                entry.sure = entry.kept.sure(newest)
            if entry.sure < now or (entry.kept.silent and entry.kept.heard(newest)):
                found.add(name)
        return found

    def catch_up(
        self, db: Database, now: Millis, current: Terms, began: Collection[CheckKey] = (), silent: Iterable[str] = ()
    ) -> None:
        """Take in what is new as of now: facts, the checks of which a run began, the subscriptions that went silent."""
        self._latest = max(self._latest, now)
        facts, imported = self._news(db)
        # a clock that was set back leaves facts, and imports, that have not happened yet
        behind = now < self._latest or (imported and bool(history_rebuild.late_imports(db, now)))
        due = {name for key in began for name in self._measured.get(key, ())}.union(silent)
        self.now = now
        if self._facts is None or behind or facts or imported or self._facts.current is not current:
            self._take_facts(db, current, due, everything=behind or imported)
        else:
            self._set_windows(self._facts)
            for name in due & self._entries.keys():
                self._resume(db, self._entries[name], self._facts)
        self.stale = behind

    def _news(self, db: Database) -> tuple[bool, bool]:
        """Look through the journal: whether there are new facts, and whether results may have been imported."""
        since, self._seen = self._seen, journal.length(db)
        times = journal.times(db, since, *FACTS)
        self._latest = max(self._latest, *times, 0)
        if self.stale:
            return True, True
        growing = self._facts.growing if self._facts else frozenset()
        ended = imported = False
        for entry in journal.after(db, since, "outage-ended", "results"):
            if entry.kind == "results":
                imported = imported or entry.body["source"] == "import"
            elif entry.body["outage"] in growing:
                ended, self._latest = True, max(self._latest, entry.at)
        return bool(times) or ended, imported

    def _set_windows(self, facts: Facts) -> Millis:
        """Give the first instant that any window has."""
        self._month = facts.month(self.now)
        self._rolling = rolling_span(self.now, facts.current.rolling_days)
        return min(self._month.start, self._rolling.start)

    def _take_facts(self, db: Database, current: Terms, due: set[str], *, everything: bool) -> None:
        """Read every fact, and again whatever subscription they touch."""
        books = Books(db, self.now, current)
        before, facts = self._facts, Facts.of(books, current)
        self._facts = facts
        start = self._set_windows(facts)
        anew = everything or before is None
        changed = before.exclusions ^ facts.exclusions if before else frozenset()
        kept, self._entries = self._entries, {}
        for name in dict.fromkeys(name for terms in versions_since(books, current) for name in terms.subscriptions):
            entry = kept.get(name)
            if entry is None or anew or not self._still_true(books, name, entry, start, changed):
                entry = self._read(books, name, facts, start - MARGIN)
            else:
                entry.promises = promises(books.versions, name, Span(entry.since, FAR))
                entry.month = entry.rolling = None
                if name in due:
                    self._resume(db, entry, facts)
            self._entries[name] = entry
        self._measured = {}
        for name, entry in self._entries.items():
            for key in _measured(entry.segments):
                self._measured.setdefault(key, []).append(name)
        books.versions.close()

    @staticmethod
    def _still_true(books: Books, name: str, entry: _Entry, start: Millis, changed: Collection[Exclusion]) -> bool:
        """Whether what is kept of a subscription is true by these facts too."""
        return (
            entry.kept.course.starts[0] <= start
            and not any(one.concerns(part.server) for one in changed for part in entry.segments)
            and segments(books.versions, name, Span(entry.since, FAR), FAR) == entry.segments
        )

    def _read(self, books: Books, name: str, facts: Facts, since: Millis) -> _Entry:
        """Read all of one subscription from the books."""
        window = Span(since, FAR)
        parts = segments(books.versions, name, window, FAR)
        records = {key: books.history(key, window).runs for key in _measured(parts)}
        kept = keep(parts, records, facts.concerning(parts), since, self.now)
        return _Entry(since, parts, promises(books.versions, name, window), kept, kept.sure(_nobody))

    def _resume(self, db: Database, entry: _Entry, facts: Facts) -> None:
        """Read what came to one subscription since it was last read."""
        since = min(self._month.start, self._rolling.start) - MARGIN
        records = {key: self._runs(db, key, entry.kept.settled) for key in _measured(entry.segments)}
        entry.kept = resume(entry.kept, entry.segments, records, facts.concerning(entry.segments), self.now, since)
        entry.sure = entry.kept.sure(_nobody)
        entry.month = entry.rolling = None

    def _runs(self, db: Database, key: CheckKey, since: Millis) -> Sequence[Run]:
        if key not in self._numbers:
            self._numbers = results.numbers(db)
        number = self._numbers.get(key)
        return () if number is None else runs_between(db, number, since, FAR)

    def advance(self, names: Iterable[str]) -> list[Change]:
        """Bring the figures of some subscriptions to the moment that was caught up with; give those that changed."""
        now = self.now
        changes: list[Change] = []
        for name in names:
            entry = self._entries[name]
            outlook = entry.rolling
            if outlook is None or not outlook.at <= now < outlook.until:
                outlook = self._look_rolling(entry)
                changes.append((name, "rolling", outlook.figures(now)))
            elif not outlook.stands:
                changes.append((name, "rolling", outlook.figures(now)))
            outlook = entry.month
            if outlook is None or not outlook.at <= now < outlook.until:
                outlook = self._look_month(entry)
                changes.append((name, "month", outlook.figures(now)))
            elif not outlook.stands:
                changes.append((name, "month", outlook.figures(now)))
        return changes

    def _look_rolling(self, entry: _Entry) -> Outlook:
        entry.rolling = rolling_outlook(entry.kept.course, entry.promises, self._rolling.start, self.now)
        return entry.rolling

    def _look_month(self, entry: _Entry) -> Outlook:
        entry.month = calendar_outlook(entry.kept.course, entry.promises, self._month, self.now)
        return entry.month

    def figures(self, name: str) -> tuple[Figures | None, Figures | None]:
        """Give a month's and a rolling window's figures of one subscription as of ``now``."""
        entry = self._entries[name]
        month, rolling = entry.month or self._look_month(entry), entry.rolling or self._look_rolling(entry)
        return month.figures(self.now), rolling.figures(self.now)

    def course(self, name: str) -> Course:
        """Give what every instant of one subscription counts as."""
        return self._entries[name].kept.course

    def forget(self) -> None:
        """Read everything from the beginning when next catching up."""
        self.stale = True


def _measured(parts: Iterable[Segment]) -> set[CheckKey]:
    return {CheckKey(part.server, name) for part in parts for name in part.checks}


def _nobody(_: CheckKey) -> None:
    """Know of no newer result than those that were read."""
