"""The present state of all servers, read from the records alone, so that no daemon is needed."""

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
    """The present state of one check."""

    check: Check
    state: State
    since: Millis | None
    latency: int | None
    """Microseconds of the last result; None unless it was ok and still holds."""
    availability: Percent | None
    """Over the rolling window, after exclusions; None if nothing was measured."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The present state of one server."""

    server: Server
    state: State
    checks: tuple[CheckStatus, ...]


def server_state(states: Iterable[tuple[str, str, State]], *, only_web: bool) -> State:
    """Return the state of a server, from the name, type and state of each of its checks.

    It is the state of the reachability check. A server with web hosting alone is up while its web checks are up, even
    if it does not answer ping (docs/contract.md#products-targets-and-credit-tables).
    """
    checks = list(states)
    if any(state is State.MAINTENANCE for _, _, state in checks):
        return State.MAINTENANCE
    web_states = [state for _, check_type, state in checks if check_type in ("http", "https")]
    if only_web and web_states and all(state is State.UP for state in web_states):
        return State.UP
    return next((state for name, _, state in checks if name == PING), State.UNKNOWN)


def server_statuses(db: Database, context: LedgerContext, at: Millis) -> list[ServerStatus]:
    """Return the state of every configured server at ``at``, which is now."""
    ledger = LedgerView(db, at, context.terms)
    check_ids, runs, open_outages = results.check_ids(db), last_runs(db), history.open_outages(db)

    def state(key: CheckKey) -> tuple[State, Millis | None, int | None]:
        run = runs.get(check_ids.get(key, 0))
        if run is None or at >= run.last + run.hold:
            return State.UNKNOWN, None if run is None else run.last + run.hold, None
        since = run.first
        if run.outcome is Outcome.FAIL and check_ids[key] in open_outages:
            since = open_outages[check_ids[key]][1].start
        latency = results.latency_at(db, check_ids[key], run.last) if run.outcome is Outcome.OK else None
        return _STATES[run.outcome], since, latency

    def check_status(check: Check) -> CheckStatus:
        displayed, since, latency = state(check.key)
        for window in ledger.windows:
            if is_active(window, check.key.server, at):
                displayed, since = State.MAINTENANCE, window.start
        return CheckStatus(check, displayed, since, latency, _rolling_availability(ledger, context, check.key))

    statuses = []
    for server in context.servers.values():
        checks = tuple(check_status(check) for check in server.checks)
        products = {subscription.product for subscription in context.subscriptions_of(server.id, at)}
        check_states = ((status.check.key.name, status.check.type, status.state) for status in checks)
        statuses.append(ServerStatus(server, server_state(check_states, only_web=products == {"web-hosting"}), checks))
    return statuses


def _rolling_availability(ledger: LedgerView, context: LedgerContext, key: CheckKey) -> Percent | None:
    """Return the availability of one check over the rolling window, as of a subscription measured by it alone."""
    window = rolling_span(ledger.at, context.terms.rolling_days)
    segment = Segment(window, key.server, (key.name,), "")
    account = compute_account(
        [segment],
        {key: ledger.history(key, window)},
        ledger.exclusions,
        rounding=context.terms.rounding,
        target=PRODUCTS["server"].target,
        now=ledger.at,
    )
    return account.availability
