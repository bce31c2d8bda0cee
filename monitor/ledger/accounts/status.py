"""How everything stands now, read from the records alone: also where no daemon runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.ledger.accounts.accounts import LedgerView
from monitor.model import PING, Outcome, State
from monitor.sla.availability import compute_account
from monitor.sla.calendar import rolling_span
from monitor.sla.maintenance import is_active
from monitor.sla.terms import PRODUCTS, Segment
from monitor.store import history, results
from monitor.store.history import last_runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.model import Check, CheckKey, Millis, Server
    from monitor.sla.availability import Percent

_STATES = {Outcome.OK: State.UP, Outcome.FAIL: State.DOWN, Outcome.UNKNOWN: State.UNKNOWN}


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """One check now."""

    check: Check
    state: State
    since: Millis | None
    latency: int | None
    """Microseconds of the last result; None unless it was ok and still holds."""
    availability: Percent | None
    """Over the rolling window, exclusions taken out; None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server now."""

    server: Server
    state: State
    checks: tuple[CheckStatus, ...]


def server_state(states: Iterable[tuple[str, str, State]], *, only_web: bool) -> State:
    """Say how a server stands, from the name, the type and the state of each of its checks.

    It is as its reachability check is. A server that carries web hosting alone is up while its web checks are, also
    where it does not answer ping (docs/contract.md#products-targets-and-credit-tables).
    """
    known = list(states)
    if any(state is State.MAINTENANCE for _, _, state in known):
        return State.MAINTENANCE
    web = [state for _, kind, state in known if kind in ("http", "https")]
    if only_web and web and all(state is State.UP for state in web):
        return State.UP
    return next((state for name, _, state in known if name == PING), State.UNKNOWN)


def server_statuses(db: Database, context: LedgerContext, at: Millis) -> list[ServerStatus]:
    """Read how every configured server stands at ``at``, which is now."""
    books = LedgerView(db, at, context.terms)
    numbers, runs, opened = results.check_ids(db), last_runs(db), history.open_outages(db)

    def state(key: CheckKey) -> tuple[State, Millis | None, int | None]:
        run = runs.get(numbers.get(key, 0))
        if run is None or at >= run.last + run.hold:
            return State.UNKNOWN, None if run is None else run.last + run.hold, None
        since = run.first
        if run.outcome is Outcome.FAIL and numbers[key] in opened:
            since = opened[numbers[key]][1].start
        latency = results.latency_at(db, numbers[key], run.last) if run.outcome is Outcome.OK else None
        return _STATES[run.outcome], since, latency

    def check_standing(check: Check) -> CheckStatus:
        shown, since, latency = state(check.key)
        for window in books.windows:
            if is_active(window, check.key.server, at):
                shown, since = State.MAINTENANCE, window.start
        return CheckStatus(check, shown, since, latency, _rolling_availability(books, context, check.key))

    found = []
    for server in context.servers.values():
        checks = tuple(check_standing(check) for check in server.checks)
        products = {subscription.product for subscription in context.subscriptions_of(server.id, at)}
        triples = ((each.check.key.name, each.check.type, each.state) for each in checks)
        found.append(ServerStatus(server, server_state(triples, only_web=products == {"web-hosting"}), checks))
    return found


def _rolling_availability(ledger: LedgerView, context: LedgerContext, key: CheckKey) -> Percent | None:
    """Account for one check over the rolling window, as if a subscription were read on it alone."""
    window = rolling_span(ledger.at, context.terms.rolling_days)
    segment = Segment(window, key.server, (key.name,), "")
    came_to = compute_account(
        [segment],
        {key: ledger.history(key, window)},
        ledger.exclusions,
        rounding=context.terms.rounding,
        target=PRODUCTS["server"].target,
        now=ledger.at,
    )
    return came_to.availability
