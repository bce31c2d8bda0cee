"""Keeps the live picture true: what was written, what the canaries say, what troubles the monitor itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from monitor.engine.jobs.operator_mail import clear_problem, notify_operators, raise_problem
from monitor.engine.live.state import ActiveMaintenanceWindow, CheckEntry, SubscriptionEntry
from monitor.mail.content import OperatorNews
from monitor.model import PING, Outcome, State
from monitor.sla.terms import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlite_utils import Database

    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry
    from monitor.ledger.context import LedgerContext
    from monitor.ledger.results.recording import RecordedResults, Recording
    from monitor.model import Certificate, CheckKey, Millis, Outage, Result, Run
    from monitor.probes.probe import Phases
    from monitor.store.outbox import Mail

log = logging.getLogger(__name__)

_STATE_BY_OUTCOME = (State.UP, State.DOWN, State.UNKNOWN)
"""By outcome."""
NO_CONNECTIVITY_TEXT = (
    "No canary answers: the monitor cannot see out. Failures are recorded as unknown and no customer is told; "
    "repair the monitor's own line."
)


class LiveStateUpdater:
    """The audience of the recorder, the witness of the canaries, the one who hears of dead letters."""

    def __init__(
        self,
        live_state: LiveState,
        telemetry: Telemetry,
        recording: Recording,
        *,
        read_clocks: Callable[[], tuple[Millis, float]],
        certificate: Callable[[CheckKey], Certificate | None],
        phases: Callable[[CheckKey], Phases | None],
        write_in_background: Callable[[Callable[[Database], object]], None],
        on_sweep_written: Callable[[], None],
        on_new_runs: Callable[[Iterable[CheckKey]], None],
    ) -> None:
        """``read_clocks`` gives the present time as it is written down and the monotonic one."""
        self._live_state = live_state
        self._telemetry = telemetry
        self._recording = recording
        self._read_clocks = read_clocks
        self._certificate = certificate
        self._phases = phases
        self._write_in_background = write_in_background
        self._on_sweep_written = on_sweep_written
        self._on_new_runs = on_new_runs
        self._store_failure: tuple[Millis, str] | None = None
        """Since when the database refuses, and what it said first."""

    @property
    def _context(self) -> LedgerContext:
        return self._recording.context

    def replace_config_steps(
        self, entries: Iterable[CheckEntry], canaries: Iterable[str], released: list[Iterator[None]]
    ) -> Iterator[None]:
        """Show this configuration and keep what is known of it, in steps (``LiveState.replace_config_steps``)."""
        context = self._context
        subscriptions = (
            SubscriptionEntry(
                s.id, s.customer, s.server, s.product, context.servers[s.server].level, PRODUCTS[s.product].target
            )
            for s in context.terms.subscriptions.values()
        )
        yield from self._live_state.replace_config_steps(
            entries,
            subscriptions,
            context.servers,
            interval=context.interval,
            timezone=context.zone,
            released=released,
        )
        self._telemetry.set_canaries(canaries)

    def restore(self, known: Iterable[tuple[CheckKey, Run | None, Outage | None]]) -> None:
        """Show what an earlier process knew, as far as it still holds; the rest is unknown until the next result."""
        now, _ = self._read_clocks()
        for key, run, outage in known:
            if outage is not None:
                self._live_state.add_outage(outage)
            if run is not None and now < run.last + run.hold:
                since = outage.start if outage is not None and run.outcome is Outcome.FAIL else run.first
                self._live_state.set_check_state(key, _STATE_BY_OUTCOME[run.outcome], since)

    def on_recorded(self, recorded: RecordedResults) -> None:
        """Show results that are in the books."""
        self._on_new_runs(recorded.checks_with_new_runs)
        for outage in recorded.opened_outages:
            self._live_state.add_outage(outage)
        for number in recorded.ended_outages:
            self._live_state.remove_outage(number)
        for result in recorded.results:
            key = result.check
            if key.name == PING:
                view = self._live_state.set_check_result(result)
            else:
                view = self._live_state.set_check_result(result, self._certificate(key), self._phases(key))
            if view is not None and view.state is not (shown := _STATE_BY_OUTCOME[result.outcome]):
                self._live_state.set_check_state(result.check, shown, self._state_since(result))
        if recorded.rejected:
            log.warning(
                "%d results were not written: their time is accounted for already, the clock ran backwards",
                len(recorded.rejected),
            )

    def _state_since(self, result: Result) -> Millis:
        """An outage goes on behind unknown results: then it is down since its first fail."""
        outage = self._live_state.open_outage(result.check) if result.outcome is Outcome.FAIL else None
        return result.at if outage is None else outage.start

    def on_sweep_closed(self, sweep: int, entries: int, pending: tuple[int, Millis | None]) -> None:
        """Take note of a sweep that is in the journal."""
        self._telemetry.sweep_done(*self._read_clocks())
        self._telemetry.set_journal_entries(entries)
        self._live_state.set_mail_backlog(*pending)
        self._on_sweep_written()
        log.debug("sweep %d closed", sweep)

    def on_store_state(self, error: str | None) -> None:
        """Take note of whether the database can be written."""
        if error is None:
            self._live_state.clear_problem("store")
            self._report_store_failure()
        else:
            self._store_failure = self._store_failure or (self._read_clocks()[0], error)
            self._live_state.set_problem(
                "store", f"{error}: results wait in memory; free the disk or correct its permissions"
            )

    def _report_store_failure(self) -> None:
        """Tell the operators of a database that refused, now that a mail can be written down again."""
        if self._store_failure is None:
            return
        (since, error), self._store_failure = self._store_failure, None
        now, _ = self._read_clocks()
        seconds = (f"{(now - since) // 1000} s",)
        self._write_in_background(
            lambda db: notify_operators(db, self._context, OperatorNews.STORE, (error, *seconds), now, since=since)
        )

    def raise_problem(self, news: OperatorNews, lines: Iterable[str]) -> None:
        """Tell the operators of a trouble of the monitor itself that lasts: once."""
        (now, _), told = self._read_clocks(), tuple(lines)
        self._write_in_background(lambda db: raise_problem(db, self._context, news, told, now))

    def clear_problem(self, news: OperatorNews) -> None:
        """Take note that such a trouble is over: when it comes again it is told again."""
        self._write_in_background(lambda db: clear_problem(db, news))

    def refresh_maintenance(self) -> None:
        """Bring up to date what changes by time alone; to be called every second or so."""
        now, _ = self._read_clocks()
        self._live_state.set_maintenance_windows(
            ActiveMaintenanceWindow(window.id, frozenset(window.servers), window.end, window.kind, window.reason)
            for window in self._recording.windows
            if not window.cancelled_before_start and window.start <= now < window.end
        )

    def on_canary_result(self, address: str, outcome: Outcome) -> None:
        """Take note of one canary's answer; one that could not be asked is not told."""
        if outcome is not Outcome.UNKNOWN:
            self._telemetry.set_canary(address, ok=outcome is Outcome.OK)

    def on_connectivity_change(self, *, offline: bool) -> None:
        """Take note that the monitor has gone blind, and tell the operators once; or that it sees again."""
        if not offline:
            self._live_state.clear_problem("canaries")
            log.warning("a canary answers again: the monitor sees out")
            return
        log.error("no canary answers: failures are recorded as unknown until one does")
        self._live_state.set_problem("canaries", NO_CONNECTIVITY_TEXT, ready=True)
        now, _ = self._read_clocks()
        lines = tuple(self._telemetry.canaries)
        self._write_in_background(
            lambda db: notify_operators(db, self._context, OperatorNews.NO_CONNECTIVITY, lines, now)
        )

    def on_figure_mismatches(self, lines: tuple[str, ...]) -> None:
        """Tell the operators of figures that had drifted from the books."""
        now, _ = self._read_clocks()
        self._write_in_background(
            lambda db: notify_operators(db, self._context, OperatorNews.FIGURES_DRIFT, lines, now)
        )

    def on_dead_letter(self, mail: Mail, error: str) -> Callable[[Database], object]:
        """Tell the operators of a mail that nobody will get, unless it was one to them."""
        now, _ = self._read_clocks()
        lines = (f"{mail.id}: {', '.join(mail.remaining)}: {mail.subject}", error, f"monitor mail resend {mail.id}")
        if mail.kind == "monitor":
            return lambda _: None
        return lambda db: notify_operators(db, self._context, OperatorNews.DEAD_LETTER, lines, now)

    def on_backlog(self, pending: tuple[int, Millis | None]) -> None:
        """Take note of what has not left the outbox."""
        self._live_state.set_mail_backlog(*pending)
