"""Updates the live state after commits, canary results and problems of the monitor, and mails the operators."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from monitor.engine.jobs.operator_mail import clear_problem, notify_operators, raise_problem
from monitor.engine.live.blindness import CANARIES, OFFLINE_TEXT, BlindnessWatch
from monitor.engine.live.state import ActiveMaintenanceWindow, CheckEntry, SubscriptionEntry
from monitor.formatting import pluralize
from monitor.mail.content import OperatorNews
from monitor.model import PING, Outcome, State
from monitor.sla.terms import PRODUCTS
from monitor.store.daemon_state import MAIL_PROBLEM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlite_utils import Database

    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry
    from monitor.ledger.context import LedgerContext
    from monitor.ledger.results.recording import RecordedResults, Recording
    from monitor.model import Certificate, CheckKey, Millis, Outage, Result, Run
    from monitor.probes.probe import Phases
    from monitor.store.outbox import Mail, OutboxSummary

log = logging.getLogger(__name__)

MAX_LOGGED_OUTAGES = 20
"""Outages that begin, or end, at once and are logged line by line."""
_STATE_BY_OUTCOME = (State.UP, State.DOWN, State.UNKNOWN)
"""Indexed by outcome."""


class LiveStateUpdater:
    """The listener of the recorder, the connectivity check, the mail dispatcher and the live figures."""

    def __init__(
        self,
        live_state: LiveState,
        telemetry: Telemetry,
        recording: Recording,
        *,
        read_clocks: Callable[[], tuple[Millis, float]],
        wall_time: Callable[[], Millis],
        certificate: Callable[[CheckKey], Certificate | None],
        phases: Callable[[CheckKey], Phases | None],
        write_in_background: Callable[[Callable[[Database], object]], None],
        on_sweep_written: Callable[[], None],
        on_new_runs: Callable[[Iterable[CheckKey]], None],
    ) -> None:
        """``read_clocks`` returns the recorded and the monotonic time, ``wall_time`` the time of the wall clock."""
        self._live_state = live_state
        self._telemetry = telemetry
        self._recording = recording
        self._read_clocks = read_clocks
        self._wall_time = wall_time
        self._certificate = certificate
        self._phases = phases
        self._write_in_background = write_in_background
        self._on_sweep_written = on_sweep_written
        self._on_new_runs = on_new_runs
        self.blindness = BlindnessWatch(
            live_state,
            telemetry,
            read_seconds=lambda: read_clocks()[1],
            raise_problem=self.raise_problem,
            clear_problem=self.clear_problem,
        )
        self._store_failure: tuple[Millis, str] | None = None
        """Since when the database refuses writes, and its first error."""

    @property
    def _context(self) -> LedgerContext:
        return self._recording.context

    def replace_config_steps(
        self, entries: Iterable[CheckEntry], canaries: Iterable[str], released: list[Iterator[None]]
    ) -> Iterator[None]:
        """Replace the configuration in the live state, in steps (``LiveState.replace_config_steps``)."""
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

    def restore(self, check_states: Iterable[tuple[CheckKey, Run | None, Outage | None]]) -> None:
        """Restore the states that an earlier process recorded and that still hold; others stay unknown."""
        now, _ = self._read_clocks()
        for key, run, outage in check_states:
            if outage is not None:
                self._live_state.add_outage(outage)
            if run is not None and now < run.last + run.hold:
                since = outage.start if outage is not None and run.outcome is Outcome.FAIL else run.first
                self._live_state.set_check_state(key, _STATE_BY_OUTCOME[run.outcome], since)

    def on_recorded(self, recorded: RecordedResults) -> None:
        """Show results that have been committed."""
        self._on_new_runs(recorded.checks_with_new_runs)
        self.blindness.on_results(recorded.results)
        self._log_outages(recorded)
        for outage in recorded.opened_outages:
            self._live_state.add_outage(outage)
        for outage_id in recorded.ended_outages:
            self._live_state.remove_outage(outage_id)
        for result in recorded.results:
            key = result.check
            if key.name == PING:
                view = self._live_state.set_check_result(result)
            else:
                view = self._live_state.set_check_result(result, self._certificate(key), self._phases(key))
            if view is not None and view.state is not (state := _STATE_BY_OUTCOME[result.outcome]):
                self._live_state.set_check_state(result.check, state, self._state_since(result))
        if recorded.rejected:
            log.warning(
                "%d results were not recorded: their time is accounted for already, since the clock ran backwards",
                len(recorded.rejected),
            )

    def _log_outages(self, recorded: RecordedResults) -> None:
        """Log each outage that begins or ends; of many at once the first ones, and how many more there are."""
        for outage in recorded.opened_outages[:MAX_LOGGED_OUTAGES]:
            log.warning("DOWN %s: %s (outage %d)", outage.check, outage.reason, outage.id)
        for outage_id in recorded.ended_outages[:MAX_LOGGED_OUTAGES]:
            ended = self._live_state.outages.get(outage_id)
            log.info("UP %s (outage %d)", ended.check if ended else "a check that is no longer configured", outage_id)
        for word, outages in (("DOWN", recorded.opened_outages), ("UP", recorded.ended_outages)):
            if len(outages) > MAX_LOGGED_OUTAGES:
                log.warning("%s: %d more; see monitor outages list", word, len(outages) - MAX_LOGGED_OUTAGES)

    def _state_since(self, result: Result) -> Millis:
        """Return since when a check has its new state: down counts from the start of its open outage."""
        outage = self._live_state.open_outage(result.check) if result.outcome is Outcome.FAIL else None
        return result.at if outage is None else outage.start

    def on_sweep_closed(self, sweep: int, entries: int, mails: OutboxSummary) -> None:
        """Handle a sweep that is in the journal."""
        # by the wall clock: an alert on a dead monitor compares it with the time of another machine
        self._telemetry.sweep_done(self._wall_time(), self._read_clocks()[1])
        self._telemetry.set_journal_entries(entries)
        self.on_backlog(mails)
        self._on_sweep_written()
        self.blindness.on_sweep()
        log.debug("sweep %d closed", sweep)

    def on_store_state(self, error: str | None) -> None:
        """Set or clear the problem that the database refuses writes (``error``)."""
        if error is None:
            self._live_state.clear_problem("store")
            self._report_store_failure()
        else:
            self._store_failure = self._store_failure or (self._read_clocks()[0], error)
            self._live_state.set_problem(
                "store", f"{error}: results wait in memory; free the disk or correct its permissions"
            )

    def _report_store_failure(self) -> None:
        """Mail the operators that the database refused writes; this is called as soon as it accepts them again."""
        if self._store_failure is None:
            return
        (since, error), self._store_failure = self._store_failure, None
        now, _ = self._read_clocks()
        lines = (error, f"{(now - since) // 1000} s")
        self._write_in_background(
            lambda db: notify_operators(db, self._context, OperatorNews.STORE, lines, now, since=since)
        )

    def raise_problem(self, news: OperatorNews, lines: Iterable[str], at: Millis | None = None) -> None:
        """Mail the operators a lasting problem of the monitor itself, once; ``at`` replaces the recorded time."""
        moment = self._read_clocks()[0] if at is None else at
        details = tuple(lines)
        self._write_in_background(lambda db: raise_problem(db, self._context, news, details, moment))

    def clear_problem(self, news: OperatorNews) -> None:
        """Record that a problem is over, so that it is mailed again when it returns."""
        now, _ = self._read_clocks()
        self._write_in_background(lambda db: clear_problem(db, news, now))

    def refresh_maintenance(self) -> None:
        """Update the active maintenance windows; call this about once a second."""
        now, _ = self._read_clocks()
        self._live_state.set_maintenance_windows(
            ActiveMaintenanceWindow(window.id, frozenset(window.servers), window.end, window.kind, window.reason)
            for window in self._recording.windows
            if not window.cancelled_before_start and window.start <= now < window.end
        )

    def on_canary_result(self, address: str, outcome: Outcome) -> None:
        """Handle the result of a canary; one that could not be probed leaves the state unchanged."""
        if outcome is Outcome.OK:
            self.blindness.on_canary_answer()
        if outcome is not Outcome.UNKNOWN:
            self._telemetry.set_canary(address, ok=outcome is Outcome.OK)

    def on_connectivity_change(self, *, offline: bool) -> None:
        """Handle a change of the monitor's connectivity; mail the operators when it goes offline."""
        if not offline:
            self._live_state.clear_problem(CANARIES)
            log.warning("a canary answers again: the monitor is online")
            return
        log.error("no canary answers: failures are recorded as unknown until one does")
        self._live_state.set_problem(CANARIES, OFFLINE_TEXT, ready=True)
        now, _ = self._read_clocks()
        lines = tuple(self._telemetry.canaries)
        self._write_in_background(
            lambda db: notify_operators(db, self._context, OperatorNews.NO_CONNECTIVITY, lines, now)
        )

    def on_figure_mismatches(self, lines: tuple[str, ...]) -> None:
        """Mail the operators the live figures that differed from the ledger."""
        now, _ = self._read_clocks()
        self._write_in_background(
            lambda db: notify_operators(db, self._context, OperatorNews.FIGURES_DRIFT, lines, now)
        )

    def on_dead_letter(self, mail: Mail, error: str) -> Callable[[Database], object]:
        """Return the work that mails the operators a dead letter, unless the letter was one to them."""
        now, _ = self._read_clocks()
        lines = (f"{mail.id}: {', '.join(mail.remaining)}: {mail.subject}", error, f"monitor mail resend {mail.id}")
        if mail.kind == "monitor":
            return lambda _: None
        return lambda db: notify_operators(db, self._context, OperatorNews.DEAD_LETTER, lines, now)

    def on_backlog(self, summary: OutboxSummary) -> None:
        """Set how many mails wait, since when the oldest waits, and how many are dead: no mail can report those."""
        self._live_state.set_mail_backlog(*summary)
        if not summary.dead:
            self._live_state.clear_problem(MAIL_PROBLEM)
            return
        text = f"{pluralize(summary.dead, 'mail')} did not reach all recipients: `monitor mail list --state dead`. "
        self._live_state.set_problem(MAIL_PROBLEM, f"{text}Send them again, or withdraw them: `monitor mail --help`.")
