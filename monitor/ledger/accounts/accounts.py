"""Computes the accounts of a window from the recorded facts."""

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
    """One subscription's account of a window, with its terms and the resulting credit."""

    subscription: Subscription
    terms: Terms
    window: Span
    """The window cut to the subscription's days, not to now."""
    account: Account
    credit: Credit
    budget: Millis
    """Downtime left before the target is missed over the whole of ``window``; negative after."""
    terms_from: Millis | None = None
    """When its first terms came into force, if the account includes results from before that; else None."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of all subscriptions for one window."""

    at: Millis
    timezone: str
    window: Span
    """Nominal: the whole month, or the whole rolling window."""
    label: str
    subscriptions: tuple[SubscriptionAccount, ...]


class Measurements:
    """The runs and outages of every check in a span, read with two queries instead of two for each check."""

    def __init__(self, db: Database, span: Span) -> None:
        self.span = span
        self.outages = outages.all_outages_touching(db, span.start, span.end)
        self.runs = all_runs_between(db, span.start, span.end + 1)


class LedgerView:
    """The ledger as of one moment, for reading.

    Facts later than ``at`` are not in it: results of a later time, and windows, exclusions, withdrawals and terms that
    were recorded later. What is read once is cached for the lifetime of the object. ``measured_until`` excludes the
    results after an earlier moment, since the newest results may not have been recorded yet.
    """

    def __init__(self, db: Database, at: Millis, current: Terms, measured_until: Millis | None = None) -> None:
        self._db = db
        self.at = at
        self.measured_until = at if measured_until is None else measured_until
        self.versions = terms_versions(db, at, current)
        self._check_ids = results.check_ids(db)
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
        for exclusion in self.exclusions:
            for server in exclusion.servers or (None,):
                self._by_server.setdefault(server, []).append(exclusion)
        self._histories: dict[tuple[CheckKey, Span], History] = {}
        self._measurements: Measurements | None = None

    @property
    def terms(self) -> Terms:
        """The terms in force at ``at``."""
        return terms_at(self.versions, self.at)

    def month(self, year: int, month: int, only: str | None = None) -> Accounts:
        """Compute the accounts of a calendar month in the contract's zone (5.2.1)."""
        return self._accounts(month_window(self.versions, year, month), month_text(year, month), only)

    def rolling(self, days: int, only: str | None = None) -> Accounts:
        """Compute the accounts of the last ``days`` days."""
        return self._accounts(rolling_span(self.at, days), f"{days} days", only)

    def _accounts(self, window: Span, label: str, only: str | None) -> Accounts:
        names = [only] if only is not None else self._subscription_ids(window.start)
        if only is None and window.start < self.at:
            self._measurements = Measurements(self._db, Span(window.start, min(window.end, self.at)))
        accounts = [self._account_of(name, window) for name in names]
        zone = terms_of_window(self.versions, window, self.at).timezone
        return Accounts(self.at, zone, window, label, tuple(account for account in accounts if account is not None))

    def _subscription_ids(self, since: Millis) -> list[str]:
        """Return the subscriptions of all terms in force at ``since`` or later."""
        versions = self.versions
        ids = {name for at in range(index_at(versions, since), len(versions)) for name in versions[at].subscriptions}
        return sorted(ids)

    def _account_of(self, name: str, window: Span) -> SubscriptionAccount | None:
        found = terms_and_segments(self.versions, name, window, self.at)
        if found is None:
            return None
        terms, subscription, own_segments = found
        product = PRODUCTS[subscription.product]
        histories = self._histories_of(own_segments)
        account = compute_account(
            own_segments,
            histories,
            self._applicable_exclusions(own_segments),
            rounding=terms.rounding,
            target=product.target,
            now=self.at,
        )
        # assumes that the terms stay as they are; the time without the subscription in force is not included
        nominal_segments = own_segments if window.end <= self.at else segments(self.versions, name, window, window.end)
        nominal = Span(nominal_segments[0].span.start, nominal_segments[-1].span.end) if nominal_segments else window
        budget = account.budget_ms(sum(part.span.end - part.span.start for part in nominal_segments))
        credit = availability_credit(product, account, subscription)
        since = self._terms_from(name, account, histories.values())
        return SubscriptionAccount(subscription, terms, nominal, account, credit, budget, since)

    def _applicable_exclusions(self, parts: Iterable[Segment]) -> list[Exclusion]:
        """Return the exclusions that apply to the servers of some segments, or to every server."""
        servers = dict.fromkeys(part.server for part in parts)
        return list(
            dict.fromkeys(exclusion for server in (None, *servers) for exclusion in self._by_server.get(server, ()))
        )

    def _terms_from(self, name: str, account: Account, histories: Iterable[History]) -> Millis | None:
        """Return when a subscription's first terms came into force, if its account includes earlier results."""
        if account.span is None:
            return None
        known = terms_at(self.versions, account.span.start)
        if name in known.subscriptions and known.in_force <= account.span.start:
            return None
        first = next(terms.in_force for terms in self.versions if name in terms.subscriptions)
        if account.span.start >= first:
            return None
        return first if any(known.runs and known.runs[0].first < first for known in histories) else None

    def _histories_of(self, parts: Sequence[Segment]) -> dict[CheckKey, History]:
        spans: dict[CheckKey, Span] = {}
        for part in parts:
            for name in part.checks:
                key = CheckKey(part.server, name)
                span = spans.get(key, part.span)
                spans[key] = Span(min(span.start, part.span.start), max(span.end, part.span.end))
        return {key: self.history(key, span) for key, span in spans.items()}

    def history(self, key: CheckKey, span: Span) -> History:
        """Return one check's runs and outages that concern a span, as of ``at``."""
        if (key, span) not in self._histories:
            self._histories[key, span] = self._history(key, span)
        return self._histories[key, span]

    def _history(self, key: CheckKey, span: Span) -> History:
        check_id = self._check_ids.get(key)
        if check_id is None:
            return History()
        if check_id in self._rewritten_checks:
            return history_before_imports(
                self._db, key, self.measured_until, self._late_imports, self.versions, self.at
            )
        # results after the window decide when its last outage had its last fail and when it ended
        measurements = self._measurements
        if measurements is not None and measurements.span == span:
            found_outages = measurements.outages.get(key, [])
        else:
            found_outages = outages.outages_touching(self._db, check_id, span.start, span.end)
        until = max((outage.end or self.at for outage in found_outages), default=span.end)
        start = min((outage.start for outage in found_outages), default=span.start)
        if measurements is not None and measurements.span == span and span.start <= start and until <= span.end:
            stored_runs = measurements.runs.get(check_id, [])
        else:
            stored_runs = runs_between(self._db, check_id, min(start, span.start), max(until, span.end) + 1)
        runs = tuple(self._run_as_of(check_id, run) for run in stored_runs if run.first <= self.measured_until)
        started = (outage for outage in found_outages if outage.start <= self.measured_until)
        return History(runs, tuple(self._outage_as_of(outage, runs) for outage in started))

    def _run_as_of(self, check_id: int, run: Run) -> Run:
        if run.last <= self.measured_until:
            return run
        return replace(
            run, last=results.last_result_at(self._db, check_id, run.first, self.measured_until) or run.first
        )

    def _outage_as_of(self, outage: Outage, runs: Sequence[Run]) -> Outage:
        end = outage.end if outage.end is not None and outage.end <= self.measured_until else None
        if outage.last_fail <= self.measured_until:
            return replace(outage, end=end)
        fails = [run.last for run in runs if run.outcome is Outcome.FAIL and run.first >= outage.start]
        return replace(outage, end=end, last_fail=max(fails, default=outage.start))


# --- one outage: its durations and its excluded time ------------------------------------------------------------------


def measure_outage(ledger: LedgerView, outage: Outage) -> tuple[OutageDurations, Millis]:
    """Return an outage's durations before exclusions, and the counted time that exclusions cover, in milliseconds.

    Neither is cut to a month. Exclusions limited to one subscription do not count here.
    """
    end = outage.end if outage.end is not None else ledger.at
    history = ledger.history(outage.check, Span(outage.start, max(end, outage.start + 1)))
    recorded = next((candidate for candidate in history.outages if candidate.id == outage.id), outage)
    excluded = excluded_downtime(recorded, history, ledger.exclusions, ledger.at)
    return outage_durations(recorded, history, ledger.at), excluded


# --- an account as the journal stores it: whole milliseconds, hundredths of a percent, money as text ------------------


def account_fields(subscription_account: SubscriptionAccount) -> dict[str, Any]:
    """Return all figures of one subscription's account: two accounts are equal if these are."""
    account, credit, subscription = (
        subscription_account.account,
        subscription_account.credit,
        subscription_account.subscription,
    )
    span = account.span or subscription_account.window
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
