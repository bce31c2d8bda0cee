"""The live state: the configured checks and subscriptions, and their present states and figures.

The engine updates it on the event loop; pages and metrics read it there, so that no request reads the database. It
contains only what is configured: what is removed from the configuration is removed from it. Instants are ``Millis``,
durations whole milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.engine.cooperative import free_in_steps
from monitor.ledger.live_figures.window_figures import WindowFigures, WindowName
from monitor.model import PING, CheckKey, State
from monitor.probes.judgement import is_slow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.model import Certificate, Millis, Outage, Outcome, Result
    from monitor.probes.probe import Phases


# --- the parts of the live state --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckEntry:
    """One configured check."""

    server: str
    check: str
    prober: str
    """The check's type: ``icmp``, ``tcp``, ``http``, ..."""
    address: str
    """What is probed: an address, a host name, ``host:port`` or a URL without its secrets."""
    slower_than: Millis | None = None
    """The latency above which an ok result is shown with a warning; None: no warning."""

    @property
    def key(self) -> CheckKey:
        """The key of the check in all other modules."""
        return CheckKey(self.server, self.check)


@dataclass(frozen=True, slots=True)
class SubscriptionEntry:
    """One configured subscription."""

    id: str
    customer: str
    server: str
    product: str
    level: int
    target: int
    """The promised availability, in hundredths of a percent."""


@dataclass(slots=True)
class CheckView:
    """The live state of one check."""

    entry: CheckEntry
    state: State = State.UNKNOWN
    """The confirmed state: up, down or unknown. Maintenance is that of its server: ``LiveState.display_state``."""
    since: Millis | None = None
    outcome: Outcome | None = None
    """The outcome of the last result; None before the first."""
    at: Millis | None = None
    latency: int | None = None
    """Microseconds, of the last result; None unless that was ok."""
    reason: str = ""
    certificate: Certificate | None = None
    """The certificate seen last, kept while the check fails; None for checks without TLS."""
    phases: Phases | None = None
    """The phase durations of the last attempt; None for pings."""

    @property
    def is_slow(self) -> bool:
        """Whether the last result was ok, but slower than the check's warning allows."""
        return is_slow(self.latency, self.entry.slower_than)


@dataclass(slots=True)
class SubscriptionView:
    """The live state of one subscription."""

    entry: SubscriptionEntry
    figures: dict[WindowName, WindowFigures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActiveMaintenanceWindow:
    """A maintenance window that is active now."""

    id: int
    servers: frozenset[str]
    until: Millis
    kind: str
    """``planned`` or ``emergency``."""
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of the monitor itself that an operator has to fix."""

    text: str
    """The problem and its remedy, in one or two sentences."""
    ready: bool
    """Whether the monitor counts as ready in spite of the problem."""


__all__ = [
    "ActiveMaintenanceWindow",
    "CheckEntry",
    "CheckView",
    "LiveState",
    "Problem",
    "SubscriptionEntry",
    "SubscriptionView",
    "WindowFigures",
    "WindowName",
]


STEP_SIZE = 500
"""Checks or subscriptions that are replaced between two turns of the event loop: a millisecond."""


class LiveState:
    """The live state; the daemon creates one object and passes it in."""

    def __init__(self) -> None:
        self.generation = 0
        """Grows with each change of the configuration; data prepared for an older generation is stale."""
        self.interval: Millis = 60_000
        self.timezone = "UTC"
        self.servers: dict[str, list[CheckView]] = {}
        """Every server's checks, in the order of the configuration; empty where it has none (level 1)."""
        self.checks: dict[CheckKey, CheckView] = {}
        self.subscriptions: dict[str, SubscriptionView] = {}
        self._active_windows: tuple[ActiveMaintenanceWindow, ...] = ()
        self.maintenance_windows: tuple[ActiveMaintenanceWindow, ...] = ()
        """The active windows, limited to the configured servers."""
        self.in_maintenance: frozenset[str] = frozenset()
        self.outages: dict[int, Outage] = {}
        """The open outages, by id."""
        self._open_outage_ids: dict[CheckKey, int] = {}
        self.mails_pending = 0
        self.oldest_pending: Millis | None = None
        self.mails_dead = 0
        self.problems: dict[str, Problem] = {}
        """By a short stable name: ``store``, ``icmp``, ``reload``, ``canaries``, ..."""

    def replace_config_steps(
        self,
        checks: Iterable[CheckEntry],
        subscriptions: Iterable[SubscriptionEntry],
        servers: Iterable[str] = (),
        *,
        interval: Millis,
        timezone: str,
        released: list[Iterator[None]],
    ) -> Iterator[None]:
        """Replace the configured checks and subscriptions, in steps; the last step swaps them in.

        Steps that free the old objects are appended to ``released``: run them after the swap.

        ``servers`` includes those without a check; ``interval`` is the time between sweeps, ``timezone`` that of the
        contract. What stays keeps its state. A check with a new type or address keeps its state until its next result
        and loses its last result.
        """
        new_servers: dict[str, list[CheckView]] = {server: [] for server in servers}
        new_checks: dict[CheckKey, CheckView] = {}
        changed: list[tuple[CheckView, CheckView]] = []
        for number, entry in enumerate(checks):
            old_view = self.checks.get(entry.key)
            view = new_checks[entry.key] = _carry_over_view(old_view, entry)
            if old_view is not None and view is not old_view:
                changed.append((old_view, view))
            new_servers.setdefault(entry.server, []).append(view)
            if number % STEP_SIZE == STEP_SIZE - 1:
                yield
        new_subscriptions: dict[str, SubscriptionView] = {}
        for number, subscription in enumerate(subscriptions):
            new_servers.setdefault(subscription.server, [])
            old_subscription = self.subscriptions.get(subscription.id)
            figures = old_subscription.figures if old_subscription else {}
            new_subscriptions[subscription.id] = SubscriptionView(subscription, figures)
            if number % STEP_SIZE == STEP_SIZE - 1:
                yield
        for old_view, view in changed:
            # the states of checks whose type or address changed may have changed during the steps above
            view.state, view.since = old_view.state, old_view.since
        self.generation += 1
        self.interval = interval
        self.timezone = timezone
        released.append(free_in_steps(self.servers.values(), self.checks.values(), self.subscriptions.values()))
        self.servers, self.checks, self.subscriptions = new_servers, new_checks, new_subscriptions
        self.outages = {id_: outage for id_, outage in self.outages.items() if outage.check in self.checks}
        self._open_outage_ids = {outage.check: number for number, outage in self.outages.items()}
        self.set_maintenance_windows(self._active_windows)
        yield

    def set_check_result(
        self, result: Result, certificate: Certificate | None = None, phases: Phases | None = None
    ) -> CheckView | None:
        """Set the last result of a check, without its state; return its view.

        For a check that was removed, do nothing and return None.
        """
        view = self.checks.get(result.check)
        if view is None:
            return None
        view.outcome = result.outcome
        view.at = result.at
        view.latency = result.latency
        view.reason = result.reason
        view.phases = phases
        if certificate is not None:
            view.certificate = certificate
        return view

    def set_check_state(self, key: CheckKey, state: State, since: Millis | None) -> None:
        """Set a check's confirmed state, and since when it has that state (None: unknown)."""
        view = self.checks.get(key)
        if view is not None:
            view.state = state
            view.since = since

    def set_figures(self, subscription: str, window: WindowName, figures: WindowFigures | None) -> None:
        """Set the figures of one window; None removes them. A removed subscription is ignored."""
        view = self.subscriptions.get(subscription)
        if view is not None and figures is not None:
            view.figures[window] = figures
        elif view is not None:
            view.figures.pop(window, None)

    def set_maintenance_windows(self, windows: Iterable[ActiveMaintenanceWindow]) -> None:
        """Replace the active windows."""
        self._active_windows = tuple(windows)
        watched = ((window, window.servers & self.servers.keys()) for window in self._active_windows)
        self.maintenance_windows = tuple(replace(window, servers=servers) for window, servers in watched if servers)
        self.in_maintenance = frozenset(server for window in self.maintenance_windows for server in window.servers)

    def add_outage(self, outage: Outage) -> None:
        """Add an open outage; it replaces one with the same id."""
        if outage.check in self.checks:
            self.outages[outage.id] = outage
            self._open_outage_ids[outage.check] = outage.id

    def remove_outage(self, outage_id: int) -> None:
        """Remove an outage that is over, or that an import has joined to another."""
        closed = self.outages.pop(outage_id, None)
        if closed is not None and self._open_outage_ids.get(closed.check) == outage_id:
            del self._open_outage_ids[closed.check]

    def open_outage(self, key: CheckKey) -> Outage | None:
        """Return the open outage of a check; None if it has none."""
        outage_id = self._open_outage_ids.get(key)
        return None if outage_id is None else self.outages.get(outage_id)

    def set_mail_backlog(self, pending: int, oldest_pending: Millis | None, dead: int = 0) -> None:
        """Set the number of mails that wait to be sent, and since when the oldest waits (None: no mail waits)."""
        self.mails_pending = pending
        self.oldest_pending = oldest_pending
        self.mails_dead = dead

    def set_problem(self, name: str, text: str, *, ready: bool = False) -> None:
        """Set a problem of the monitor itself; it replaces one with the same name."""
        self.problems[name] = Problem(text, ready)

    def clear_problem(self, name: str) -> None:
        """Remove a problem, if it is set."""
        self.problems.pop(name, None)

    def display_state(self, view: CheckView) -> State:
        """Return the state to display for a check: ``maintenance`` while its server is in maintenance."""
        return State.MAINTENANCE if view.entry.server in self.in_maintenance else view.state

    def server_display_state(self, server: str) -> State:
        """Return the state to display for a server: that of its reachability check, ``unknown`` if it has none."""
        if server in self.in_maintenance:
            return State.MAINTENANCE
        view = self.checks.get(CheckKey(server, PING))
        return view.state if view else State.UNKNOWN


def _carry_over_view(view: CheckView | None, entry: CheckEntry) -> CheckView:
    """Return the view of a check in the new configuration: the same object, or a new one with the old state."""
    if view is None:
        return CheckView(entry)
    if view.entry == entry:
        return view
    return CheckView(entry, state=view.state, since=view.since)
