"""From what is stored to the accounts of a window: which subscriptions, what was measured, what it comes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from monitor.ledger.exclusions import known_exclusions
from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.outage_history import history_before_imports
from monitor.ledger.terms import terms_versions
from monitor.model import CheckKey, Outcome, Span
from monitor.sla import maintenance as rules
from monitor.sla.availability import Account, compute_account, excluded_downtime
from monitor.sla.calendar import month_text, rolling_span
from monitor.sla.credits import Credit, availability_credit
from monitor.sla.terms import PRODUCTS, index_at, month_window, segments, terms_and_segments, terms_at, terms_of_window
from monitor.sla.timeline import History, OutageDurations, outage_durations
from monitor.store import history as outages
from monitor.store import history_rebuild, results
from monitor.store.history import all_runs_between, runs_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlite_utils import Database

    from monitor.model import Millis, Outage, Run, Subscription
    from monitor.sla.availability import Exclusion
    from monitor.sla.terms import Segment, Terms


@dataclass(frozen=True, slots=True)
class SubscriptionAccount:
    """One subscription's window: its terms, its account and the credit that follows."""

    subscription: Subscription
    terms: Terms
    window: Span
    """The window cut to the subscription's days, not to now."""
    account: Account
    credit: Credit
    budget: Millis
    """Downtime left before the target is missed over the whole of ``window``; negative after."""
    terms_from: Millis | None = None
    """When its first terms came into force, where they read results from before that too; ``None`` where none."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """All subscriptions' accounts of one window."""

    at: Millis
    timezone: str
    window: Span
    """Nominal: the whole month, or the whole rolling window."""
    label: str
    subscriptions: tuple[SubscriptionAccount, ...]


class Measurements:
    """What was measured of every check in a span, read at once: two questions instead of two for each check."""

    def __init__(self, db: Database, span: Span) -> None:
        self.span = span
        self.outages = outages.all_outages_touching(db, span.start, span.end)
        self.runs = all_runs_between(db, span.start, span.end + 1)


class LedgerView:
    """The books as they stood at one moment, open for reading.

    What was recorded later than ``at`` does not exist in them: results of a later time, windows announced, exclusions
    recorded or withdrawn, and terms that came into force afterwards. What is read once is kept for as long as the
    object lives: one question. ``measured_until`` leaves out results that are later still: those of the last
    moments may not have been written yet.
    """

    def __init__(self, db: Database, at: Millis, current: Terms, measured_until: Millis | None = None) -> None:
        self._db = db
        self.at = at
        self.measured_until = at if measured_until is None else measured_until
        self.versions = terms_versions(db, at, current)
        self._numbers = results.check_ids(db)
        self._late_imports = history_rebuild.imports_recorded_after(db, at)
        self._rewritten_checks = (
            history_rebuild.checks_in_batches(db, self._late_imports) if self._late_imports else frozenset()
        )
        self.windows = known_windows(db, at)
        self.exclusion_records = known_exclusions(db, at, self._rewritten_checks)
        self.exclusions: tuple[Exclusion, ...] = (
            *(exclusion for window in self.windows for exclusion in rules.exclusions_of(window)),
            *(record.exclusion(at) for record in self.exclusion_records if record.withdrawn is None),
        )
        self._by_server: dict[str | None, list[Exclusion]] = {}
        for one in self.exclusions:
            for server in one.servers or (None,):
                self._by_server.setdefault(server, []).append(one)
        self._histories: dict[tuple[CheckKey, Span], History] = {}
        self._measurements: Measurements | None = None

    @property
    def terms(self) -> Terms:
        """The terms in force at that moment."""
        return terms_at(self.versions, self.at)

    def month(self, year: int, month: int, only: str | None = None) -> Accounts:
        """Account for a calendar month in the contract's zone (5.2.1)."""
        return self._accounts(month_window(self.versions, year, month), month_text(year, month), only)

    def rolling(self, days: int, only: str | None = None) -> Accounts:
        """Account for the last ``days`` days."""
        return self._accounts(rolling_span(self.at, days), f"{days} days", only)

    def _accounts(self, window: Span, label: str, only: str | None) -> Accounts:
        names = [only] if only is not None else self._subscription_ids(window.start)
        if only is None and window.start < self.at:
            self._measurements = Measurements(self._db, Span(window.start, min(window.end, self.at)))
        found = [self._account_of(name, window) for name in names]
        zone = terms_of_window(self.versions, window, self.at).timezone
        return Accounts(self.at, zone, window, label, tuple(each for each in found if each is not None))

    def _subscription_ids(self, since: Millis) -> list[str]:
        """Return the subscriptions in the terms that are in force from then on or come into force later."""
        versions = self.versions
        known = {name for at in range(index_at(versions, since), len(versions)) for name in versions[at].subscriptions}
        return sorted(known)

    def _account_of(self, name: str, window: Span) -> SubscriptionAccount | None:
        known = terms_and_segments(self.versions, name, window, self.at)
        if known is None:
            return None
        terms, subscription, parts = known
        product = PRODUCTS[subscription.product]
        histories = self._histories_of(parts)
        came_to = compute_account(
            parts,
            histories,
            self._applicable_exclusions(parts),
            rounding=terms.rounding,
            target=product.target,
            now=self.at,
        )
        # as if everything stayed as it is now; what a subscription was not in force for is not in it
        whole = parts if window.end <= self.at else segments(self.versions, name, window, window.end)
        nominal = Span(whole[0].span.start, whole[-1].span.end) if whole else window
        budget = came_to.budget_ms(sum(part.span.end - part.span.start for part in whole))
        owed = availability_credit(product, came_to, subscription)
        since = self._terms_from(name, came_to, histories.values())
        return SubscriptionAccount(subscription, terms, nominal, came_to, owed, budget, since)

    def _applicable_exclusions(self, parts: Iterable[Segment]) -> list[Exclusion]:
        """Return the exclusions that apply to the servers of some segments, or to every server."""
        servers = dict.fromkeys(part.server for part in parts)
        return list(dict.fromkeys(one for server in (None, *servers) for one in self._by_server.get(server, ())))

    def _terms_from(self, name: str, came_to: Account, histories: Iterable[History]) -> Millis | None:
        """Say from when on a subscription's first terms were in force, where they read results from before it."""
        if came_to.span is None:
            return None
        known = terms_at(self.versions, came_to.span.start)
        if name in known.subscriptions and known.in_force <= came_to.span.start:
            return None
        first = next(each.in_force for each in self.versions if name in each.subscriptions)
        if came_to.span.start >= first:
            return None
        return first if any(known.runs and known.runs[0].first < first for known in histories) else None

    def _histories_of(self, parts: Sequence[Segment]) -> dict[CheckKey, History]:
        spans: dict[CheckKey, Span] = {}
        for part in parts:
            for name in part.checks:
                key = CheckKey(part.server, name)
                known = spans.get(key, part.span)
                spans[key] = Span(min(known.start, part.span.start), max(known.end, part.span.end))
        return {key: self.history(key, span) for key, span in spans.items()}

    def history(self, key: CheckKey, span: Span) -> History:
        """Read one check's record as far as it says something of a span, as it stood."""
        if (key, span) not in self._histories:
            self._histories[key, span] = self._history(key, span)
        return self._histories[key, span]

    def _history(self, key: CheckKey, span: Span) -> History:
        number = self._numbers.get(key)
        if number is None:
            return History()
        if number in self._rewritten_checks:
            return history_before_imports(
                self._db, key, self.measured_until, self._late_imports, self.versions, self.at
            )
        # what follows the window still says when its last outage had its last fail, and when it ended
        measurements = self._measurements
        if measurements is not None and measurements.span == span:
            found = measurements.outages.get(key, [])
        else:
            found = outages.outages_touching(self._db, number, span.start, span.end)
        until = max((each.end or self.at for each in found), default=span.end)
        start = min((each.start for each in found), default=span.start)
        if measurements is not None and measurements.span == span and span.start <= start and until <= span.end:
            stored = measurements.runs.get(number, [])
        else:
            stored = runs_between(self._db, number, min(start, span.start), max(until, span.end) + 1)
        runs = tuple(self._run_as_of(number, run) for run in stored if run.first <= self.measured_until)
        begun = (each for each in found if each.start <= self.measured_until)
        return History(runs, tuple(self._outage_as_of(each, runs) for each in begun))

    def _run_as_of(self, number: int, run: Run) -> Run:
        if run.last <= self.measured_until:
            return run
        return replace(run, last=results.last_result_at(self._db, number, run.first, self.measured_until) or run.first)

    def _outage_as_of(self, outage: Outage, runs: Sequence[Run]) -> Outage:
        end = outage.end if outage.end is not None and outage.end <= self.measured_until else None
        if outage.last_fail <= self.measured_until:
            return replace(outage, end=end)
        fails = [run.last for run in runs if run.outcome is Outcome.FAIL and run.first >= outage.start]
        return replace(outage, end=end, last_fail=max(fails, default=outage.start))


# --- one outage: its durations, and how much of it is excluded --------------------------------------------------------


def measure_outage(ledger: LedgerView, outage: Outage) -> tuple[OutageDurations, Millis]:
    """Measure an outage: its lengths before exclusions, and the counted time that exclusions cover, in milliseconds.

    Not cut to any month. Exclusions limited to one subscription are not counted here: the outage is everybody's.
    """
    end = outage.end if outage.end is not None else ledger.at
    history = ledger.history(outage.check, Span(outage.start, max(end, outage.start + 1)))
    stood = next((each for each in history.outages if each.id == outage.id), outage)
    excluded = excluded_downtime(stood, history, ledger.exclusions, ledger.at)
    return outage_durations(stood, history, ledger.at), excluded


# --- an account as the journal keeps it: whole milliseconds, hundredths of a percent, money as text -------------------


def account_fields(each: SubscriptionAccount) -> dict[str, Any]:
    """Return every figure of one subscription's window, complete: two accounts are the same where these are."""
    account, credit, subscription = each.account, each.credit, each.subscription
    span = account.span or each.window
    return {
        "customer": subscription.customer,
        "server": subscription.server,
        "product": subscription.product,
        "start": span.start,
        "end": span.end,
        "up": account.up,
        "down": account.down,
        "excluded": account.excluded,
        "unknown": account.unknown,
        "availability": account.availability,
        "lowest": account.lowest,
        "highest": account.highest,
        "experienced": account.experienced,
        "coverage": account.coverage,
        "target": account.target,
        "target_met": account.target_met,
        "rounding": account.rounding,
        "credit": credit.percent,
        "credit_certain": credit.certain,
        "credit_amount": None if credit.amount is None else str(credit.amount),
        "credit_clause": credit.clause,
        "currency": credit.currency,
        "exclusions": [
            {"clause": charge.clause, "length": charge.length, "reference": charge.reference}
            for charge in account.exclusions
        ],
        "outages": list(account.outages),
    }
