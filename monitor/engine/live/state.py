"""The live picture: what is watched now, and how it is doing.

The engine keeps it up to date on the event loop; pages and metrics read it there, so that no request ever touches the
database. It holds nothing that the configuration does not: what leaves the one leaves the other. Instants are
``Millis``, lengths of time whole milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.engine.cooperative import free_in_steps
from monitor.ledger.live_figures.window_figures import WindowFigures, WindowName
from monitor.model import PING, CheckKey, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.model import Certificate, Millis, Outage, Outcome, Result
    from monitor.probes.probe import Phases


# --- what the live state is made of; instants are Millis, durations whole milliseconds --------------------------------


@dataclass(frozen=True, slots=True)
class CheckEntry:
    """One check as it is configured."""

    server: str
    check: str
    prober: str
    """The check's type: ``icmp``, ``tcp``, ``http``, ..."""
    address: str
    """What is probed: an address, a host name, ``host:port`` or a URL without its secrets."""

    @property
    def key(self) -> CheckKey:
        """The check's name everywhere else."""
        return CheckKey(self.server, self.check)


@dataclass(frozen=True, slots=True)
class SubscriptionEntry:
    """One subscription as it is configured."""

    id: str
    customer: str
    server: str
    product: str
    level: int
    target: int
    """The promised availability, in hundredths of a percent."""


@dataclass(slots=True)
class CheckView:
    """One check, live."""

    entry: CheckEntry
    state: State = State.UNKNOWN
    """Its confirmed state: up, down or unknown. Maintenance is a matter of its server: see ``LiveState.shown``."""
    since: Millis | None = None
    outcome: Outcome | None = None
    """Of its last result; None before the first."""
    at: Millis | None = None
    latency: int | None = None
    """Microseconds, of its last result; None unless that was ok."""
    reason: str = ""
    certificate: Certificate | None = None
    """The one that was seen last, kept while the check fails; None for checks without TLS."""
    phases: Phases | None = None
    """How long its last attempt took to get where; None for pings."""


@dataclass(slots=True)
class SubscriptionView:
    """One subscription, live."""

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
    """Something about the monitor itself that an operator has to fix."""

    text: str
    """What is wrong and how to fix it, in one or two sentences."""
    ready: bool
    """Whether the monitor does its duty nevertheless; one problem that it does not makes it not ready."""


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
"""Checks or subscriptions that are replaced before the loop may turn again: a millisecond."""


class LiveState:
    """The live picture; one object, made by the daemon and passed in."""

    def __init__(self) -> None:
        self.generation = 0
        """Grows whenever the configuration changes; what was prepared for an older one is stale."""
        self.interval: Millis = 60_000
        self.timezone = "UTC"
        self.servers: dict[str, list[CheckView]] = {}
        """Every server's checks, in the order of the configuration; empty where it has none (level 1)."""
        self.checks: dict[CheckKey, CheckView] = {}
        self.subscriptions: dict[str, SubscriptionView] = {}
        self._active_windows: tuple[ActiveMaintenanceWindow, ...] = ()
        self.maintenance_windows: tuple[ActiveMaintenanceWindow, ...] = ()
        """Those active now, with the servers that are watched."""
        self.in_maintenance: frozenset[str] = frozenset()
        self.outages: dict[int, Outage] = {}
        """The open ones, by their id."""
        self._open_outage_ids: dict[CheckKey, int] = {}
        self.mails_pending = 0
        self.oldest_pending: Millis | None = None
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
        """Prepare to show exactly these, in steps between which the loop can turn, then swap in the last one.

        The steps that free what was shown before are appended to ``released``: run them when everything is swapped.

        ``servers`` also names those without a check; ``interval`` is that between sweeps, ``timezone`` the contract's.
        What stays keeps its state. A check that is probed differently now (another type or address) keeps its state
        until the next result, and loses its last result.
        """
        fresh_servers: dict[str, list[CheckView]] = {server: [] for server in servers}
        fresh_checks: dict[CheckKey, CheckView] = {}
        otherwise: list[tuple[CheckView, CheckView]] = []
        for number, entry in enumerate(checks):
            known = self.checks.get(entry.key)
            view = fresh_checks[entry.key] = _carry_over_view(known, entry)
            if known is not None and view is not known:
                otherwise.append((known, view))
            fresh_servers.setdefault(entry.server, []).append(view)
            if number % STEP_SIZE == STEP_SIZE - 1:
                yield
        fresh_subscriptions: dict[str, SubscriptionView] = {}
        for number, subscribed in enumerate(subscriptions):
            fresh_servers.setdefault(subscribed.server, [])
            old = self.subscriptions.get(subscribed.id)
            fresh_subscriptions[subscribed.id] = SubscriptionView(subscribed, old.figures if old else {})
            if number % STEP_SIZE == STEP_SIZE - 1:
                yield
        for before, now in otherwise:
            # what happened to those that are probed differently now while the rest was prepared
            now.state, now.since = before.state, before.since
        self.generation += 1
        self.interval = interval
        self.timezone = timezone
        released.append(free_in_steps(self.servers.values(), self.checks.values(), self.subscriptions.values()))
        self.servers, self.checks, self.subscriptions = fresh_servers, fresh_checks, fresh_subscriptions
        self.outages = {id_: outage for id_, outage in self.outages.items() if outage.check in self.checks}
        self._open_outage_ids = {outage.check: number for number, outage in self.outages.items()}
        self.set_maintenance_windows(self._active_windows)
        yield

    def set_check_result(
        self, result: Result, certificate: Certificate | None = None, phases: Phases | None = None
    ) -> CheckView | None:
        """Take what a check gave. The result of a check that left is ignored.

        Gives how the check is shown now, in the state that it was in before; None for one that left.
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
        """Take a check's confirmed state, and since when it is in it (None: nobody knows)."""
        view = self.checks.get(key)
        if view is not None:
            view.state = state
            view.since = since

    def set_figures(self, subscription: str, window: WindowName, figures: WindowFigures | None) -> None:
        """Take the accounts of one window, up to date, or that there are none; a subscription that left is ignored."""
        view = self.subscriptions.get(subscription)
        if view is not None and figures is not None:
            view.figures[window] = figures
        elif view is not None:
            view.figures.pop(window, None)

    def set_maintenance_windows(self, windows: Iterable[ActiveMaintenanceWindow]) -> None:
        """Take the windows that are active now, all of them."""
        self._active_windows = tuple(windows)
        watched = ((window, window.servers & self.servers.keys()) for window in self._active_windows)
        self.maintenance_windows = tuple(replace(window, servers=servers) for window, servers in watched if servers)
        self.in_maintenance = frozenset(server for window in self.maintenance_windows for server in window.servers)

    def add_outage(self, outage: Outage) -> None:
        """Add an open outage; one with the same id is replaced."""
        if outage.check in self.checks:
            self.outages[outage.id] = outage
            self._open_outage_ids[outage.check] = outage.id

    def remove_outage(self, outage_id: int) -> None:
        """Drop an outage that is over, or that an import joined to another."""
        closed = self.outages.pop(outage_id, None)
        if closed is not None and self._open_outage_ids.get(closed.check) == outage_id:
            del self._open_outage_ids[closed.check]

    def open_outage(self, key: CheckKey) -> Outage | None:
        """Return the open outage of a check; None where none is."""
        number = self._open_outage_ids.get(key)
        return None if number is None else self.outages.get(number)

    def set_mail_backlog(self, pending: int, oldest_pending: Millis | None) -> None:
        """Take how many mails wait to be sent, and since when the oldest does (None where none waits)."""
        self.mails_pending = pending
        self.oldest_pending = oldest_pending

    def set_problem(self, name: str, text: str, *, ready: bool = False) -> None:
        """Say what is wrong with the monitor itself; said again, it replaces what was said before."""
        self.problems[name] = Problem(text, ready)

    def clear_problem(self, name: str) -> None:
        """Take a problem back; nothing happens where it was never told."""
        self.problems.pop(name, None)

    def display_state(self, view: CheckView) -> State:
        """Return the state that a check is shown in: ``set_maintenance_windows`` while its server is."""
        return State.MAINTENANCE if view.entry.server in self.in_maintenance else view.state

    def server_display_state(self, server: str) -> State:
        """Return the state that a server is shown in: its reachability check's; ``unknown`` where it has none."""
        if server in self.in_maintenance:
            return State.MAINTENANCE
        view = self.checks.get(CheckKey(server, PING))
        return view.state if view else State.UNKNOWN


def _carry_over_view(view: CheckView | None, entry: CheckEntry) -> CheckView:
    """Return the view to go on with: the same one, or a fresh one that keeps the state."""
    if view is None:
        return CheckView(entry)
    if view.entry == entry:
        return view
    return CheckView(entry, state=view.state, since=view.since)
