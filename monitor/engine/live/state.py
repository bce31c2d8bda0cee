"""The live picture: what is watched now, and how it is doing.

The engine keeps it up to date on the event loop; pages and metrics read it there, so that no request ever touches the
database. It holds nothing that the configuration does not: what leaves the one leaves the other. Instants are
``Millis``, lengths of time whole milliseconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.engine.cooperative import let_go
from monitor.engine.views import ActiveWindow, CheckEntry, CheckView, Problem, SubscriptionEntry, SubscriptionView
from monitor.model import PING, CheckKey, State
from monitor.sla.live.window_figures import Figures, WindowName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.model import Certificate, Millis, Outage, Result
    from monitor.probes.probe import Phases

__all__ = [
    "ActiveWindow",
    "Board",
    "CheckEntry",
    "CheckView",
    "Figures",
    "Problem",
    "SubscriptionEntry",
    "SubscriptionView",
    "WindowName",
]


SLICE = 500
"""Checks or subscriptions that are replaced before the loop may turn again: a millisecond."""


class Board:
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
        self._announced: tuple[ActiveWindow, ...] = ()
        self.windows: tuple[ActiveWindow, ...] = ()
        """Those active now, with the servers that are watched."""
        self.in_maintenance: frozenset[str] = frozenset()
        self.outages: dict[int, Outage] = {}
        """The open ones, by their id."""
        self._outage_of: dict[CheckKey, int] = {}
        self.mails_pending = 0
        self.oldest_pending: Millis | None = None
        self.problems: dict[str, Problem] = {}
        """By a short stable name: ``store``, ``icmp``, ``reload``, ``canaries``, ..."""

    def replace_config(
        self,
        checks: Iterable[CheckEntry],
        subscriptions: Iterable[SubscriptionEntry],
        servers: Iterable[str] = (),
        *,
        interval: Millis = 60_000,
        timezone: str = "UTC",
    ) -> None:
        """Watch exactly these from now on; ``servers`` names those that have no check as well.

        ``interval`` is that between sweeps, ``timezone`` the contract's: people read the page in it.

        What stays keeps what is known of it. A check that is probed differently now (another type or address) keeps
        its state, which only the next results can change, and loses its last result.
        """
        for _ in self.replacing(checks, subscriptions, servers, interval=interval, timezone=timezone):
            pass

    def replacing(
        self,
        checks: Iterable[CheckEntry],
        subscriptions: Iterable[SubscriptionEntry],
        servers: Iterable[str] = (),
        *,
        interval: Millis,
        timezone: str,
    ) -> Iterator[None]:
        """Do the same by slices, so that the loop can turn in between; all of it is there at once, in one of them."""
        fresh_servers: dict[str, list[CheckView]] = {server: [] for server in servers}
        fresh_checks: dict[CheckKey, CheckView] = {}
        otherwise: list[tuple[CheckView, CheckView]] = []
        for number, entry in enumerate(checks):
            known = self.checks.get(entry.key)
            view = fresh_checks[entry.key] = _carried(known, entry)
            if known is not None and view is not known:
                otherwise.append((known, view))
            fresh_servers.setdefault(entry.server, []).append(view)
            if number % SLICE == SLICE - 1:
                yield
        fresh_subscriptions: dict[str, SubscriptionView] = {}
        for number, subscribed in enumerate(subscriptions):
            fresh_servers.setdefault(subscribed.server, [])
            old = self.subscriptions.get(subscribed.id)
            fresh_subscriptions[subscribed.id] = SubscriptionView(subscribed, old.figures if old else {})
            if number % SLICE == SLICE - 1:
                yield
        for before, now in otherwise:
            # what happened to those that are probed differently now while the rest was prepared
            now.state, now.since = before.state, before.since
        self.generation += 1
        self.interval = interval
        self.timezone = timezone
        left = let_go(self.servers.values(), self.checks.values(), self.subscriptions.values())
        self.servers, self.checks, self.subscriptions = fresh_servers, fresh_checks, fresh_subscriptions
        self.outages = {id_: outage for id_, outage in self.outages.items() if outage.check in self.checks}
        self._outage_of = {outage.check: number for number, outage in self.outages.items()}
        self.maintenance(self._announced)
        yield from left

    def check_result(
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

    def check_state(self, key: CheckKey, state: State, since: Millis | None) -> None:
        """Take a check's confirmed state, and since when it is in it (None: nobody knows)."""
        view = self.checks.get(key)
        if view is not None:
            view.state = state
            view.since = since

    def figures(self, subscription: str, window: WindowName, figures: Figures | None) -> None:
        """Take the accounts of one window, up to date, or that there are none; a subscription that left is ignored."""
        view = self.subscriptions.get(subscription)
        if view is not None and figures is not None:
            view.figures[window] = figures
        elif view is not None:
            view.figures.pop(window, None)

    def maintenance(self, windows: Iterable[ActiveWindow]) -> None:
        """Take the windows that are active now, all of them."""
        self._announced = tuple(windows)
        watched = ((window, window.servers & self.servers.keys()) for window in self._announced)
        self.windows = tuple(replace(window, servers=servers) for window, servers in watched if servers)
        self.in_maintenance = frozenset(server for window in self.windows for server in window.servers)

    def outage_opened(self, outage: Outage) -> None:
        """Add an open outage; one with the same id is replaced."""
        if outage.check in self.checks:
            self.outages[outage.id] = outage
            self._outage_of[outage.check] = outage.id

    def outage_closed(self, outage_id: int) -> None:
        """Drop an outage that is over, or that an import joined to another."""
        closed = self.outages.pop(outage_id, None)
        if closed is not None and self._outage_of.get(closed.check) == outage_id:
            del self._outage_of[closed.check]

    def outage_of(self, key: CheckKey) -> Outage | None:
        """Give the open outage of a check; None where none is."""
        number = self._outage_of.get(key)
        return None if number is None else self.outages.get(number)

    def mail(self, pending: int, oldest_pending: Millis | None) -> None:
        """Take how many mails wait to be sent, and since when the oldest does (None where none waits)."""
        self.mails_pending = pending
        self.oldest_pending = oldest_pending

    def problem(self, name: str, text: str, *, ready: bool = False) -> None:
        """Say what is wrong with the monitor itself; said again, it replaces what was said before."""
        self.problems[name] = Problem(text, ready)

    def solved(self, name: str) -> None:
        """Take a problem back; nothing happens where it was never told."""
        self.problems.pop(name, None)

    def shown(self, view: CheckView) -> State:
        """Return the state that a check is shown in: ``maintenance`` while its server is."""
        return State.MAINTENANCE if view.entry.server in self.in_maintenance else view.state

    def server_state(self, server: str) -> State:
        """Return the state that a server is shown in: its reachability check's; ``unknown`` where it has none."""
        if server in self.in_maintenance:
            return State.MAINTENANCE
        view = self.checks.get(CheckKey(server, PING))
        return view.state if view else State.UNKNOWN


def _carried(view: CheckView | None, entry: CheckEntry) -> CheckView:
    """Return the view to go on with: the same one, or a fresh one that keeps the state."""
    if view is None:
        return CheckView(entry)
    if view.entry == entry:
        return view
    return CheckView(entry, state=view.state, since=view.since)
