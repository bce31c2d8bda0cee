"""Keeps the live picture true: what was written, what the canaries say, what troubles the monitor itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from monitor.engine.jobs.operator_mail import over, tell_operators, trouble
from monitor.engine.live.state import ActiveWindow, CheckEntry, SubscriptionEntry
from monitor.mail.content import OperatorNews
from monitor.model import PING, Outcome, State
from monitor.sla.terms import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlite_utils import Database

    from monitor.engine.live.state import Board
    from monitor.engine.live.telemetry import Telemetry
    from monitor.ledger.context import Context
    from monitor.ledger.remembered import Recorded
    from monitor.ledger.results.recording import Recording
    from monitor.model import Certificate, CheckKey, Millis, Outage, Result, Run
    from monitor.probes.probe import Phases
    from monitor.store.outbox import Mail

log = logging.getLogger(__name__)

_STATES = (State.UP, State.DOWN, State.UNKNOWN)
"""By outcome."""
BLIND = (
    "No canary answers: the monitor cannot see out. Failures are recorded as unknown and no customer is told; "
    "mend the monitor's own line."
)


class Live:
    """The audience of the recorder, the witness of the canaries, the one who hears of dead letters."""

    def __init__(
        self,
        board: Board,
        telemetry: Telemetry,
        recording: Recording,
        *,
        clock: Callable[[], tuple[Millis, float]],
        certificate: Callable[[CheckKey], Certificate | None],
        phases: Callable[[CheckKey], Phases | None],
        write_later: Callable[[Callable[[Database], object]], None],
        sweep_written: Callable[[], None],
        runs_began: Callable[[Iterable[CheckKey]], None],
    ) -> None:
        """``clock`` gives the present time as it is written down and the monotonic one."""
        self._board = board
        self._telemetry = telemetry
        self._recording = recording
        self._clock = clock
        self._certificate = certificate
        self._phases = phases
        self._write_later = write_later
        self._sweep_written = sweep_written
        self._runs_began = runs_began
        self._refusal: tuple[Millis, str] | None = None
        """Since when the database refuses, and what it said first."""

    @property
    def _context(self) -> Context:
        return self._recording.context

    def watch(self, entries: Iterable[CheckEntry], canaries: Iterable[str]) -> Iterator[None]:
        """Show this configuration, with what is known of it already; by slices, see ``Board.replacing``."""
        context = self._context
        subscriptions = (
            SubscriptionEntry(
                s.id, s.customer, s.server, s.product, context.servers[s.server].level, PRODUCTS[s.product].target
            )
            for s in context.terms.subscriptions.values()
        )
        yield from self._board.replacing(
            entries, subscriptions, context.servers, interval=context.interval, timezone=context.zone
        )
        self._telemetry.watch_canaries(canaries)

    def restore(self, known: Iterable[tuple[CheckKey, Run | None, Outage | None]]) -> None:
        """Show what an earlier process knew, as far as it still holds; the rest is unknown until the next result."""
        now, _ = self._clock()
        for key, run, outage in known:
            if outage is not None:
                self._board.outage_opened(outage)
            if run is not None and now < run.last + run.hold:
                since = outage.start if outage is not None and run.outcome is Outcome.FAIL else run.first
                self._board.check_state(key, _STATES[run.outcome], since)

    def recorded(self, recorded: Recorded) -> None:
        """Show results that are in the books."""
        self._runs_began(recorded.began)
        for outage in recorded.opened:
            self._board.outage_opened(outage)
        for number in recorded.ended:
            self._board.outage_closed(number)
        for result in recorded.results:
            key = result.check
            if key.name == PING:
                view = self._board.check_result(result)
            else:
                view = self._board.check_result(result, self._certificate(key), self._phases(key))
            if view is not None and view.state is not (shown := _STATES[result.outcome]):
                self._board.check_state(result.check, shown, self._since(result))
        if recorded.refused:
            log.warning(
                "%d results were not written: their time is accounted for already, the clock ran backwards",
                len(recorded.refused),
            )

    def _since(self, result: Result) -> Millis:
        """An outage goes on behind unknown results: then it is down since its first fail."""
        outage = self._board.outage_of(result.check) if result.outcome is Outcome.FAIL else None
        return result.at if outage is None else outage.start

    def sweep_closed(self, sweep: int, entries: int, pending: tuple[int, Millis | None]) -> None:
        """Take note of a sweep that is in the journal."""
        self._telemetry.sweep_done(*self._clock())
        self._telemetry.journaled(entries)
        self._board.mail(*pending)
        self._sweep_written()
        log.debug("sweep %d closed", sweep)

    def store_state(self, error: str | None) -> None:
        """Take note of whether the database can be written."""
        if error is None:
            self._board.solved("store")
            self._tell_of_refusal()
        else:
            self._refusal = self._refusal or (self._clock()[0], error)
            self._board.problem("store", f"{error}: results wait in memory; free the disk or mend its permissions")

    def _tell_of_refusal(self) -> None:
        """Tell the operators of a database that refused, now that a mail can be written down again."""
        if self._refusal is None:
            return
        (since, error), self._refusal = self._refusal, None
        now, _ = self._clock()
        seconds = (f"{(now - since) // 1000} s",)
        self._write_later(
            lambda db: tell_operators(db, self._context, OperatorNews.STORE, (error, *seconds), now, since=since)
        )

    def trouble(self, news: OperatorNews, lines: Iterable[str]) -> None:
        """Tell the operators of a trouble of the monitor itself that lasts: once."""
        (now, _), told = self._clock(), tuple(lines)
        self._write_later(lambda db: trouble(db, self._context, news, told, now))

    def over(self, news: OperatorNews) -> None:
        """Take note that such a trouble is over: when it comes again it is told again."""
        self._write_later(lambda db: over(db, news))

    def pulse(self) -> None:
        """Bring up to date what changes by time alone; to be called every second or so."""
        now, _ = self._clock()
        self._board.maintenance(
            ActiveWindow(window.id, frozenset(window.servers), window.end, window.kind, window.reason)
            for window in self._recording.windows
            if not window.called_off and window.start <= now < window.end
        )

    def canary(self, address: str, outcome: Outcome) -> None:
        """Take note of one canary's answer; one that could not be asked is not told."""
        if outcome is not Outcome.UNKNOWN:
            self._telemetry.canary(address, ok=outcome is Outcome.OK)

    def blind(self, *, blind: bool) -> None:
        """Take note that the monitor has gone blind, and tell the operators once; or that it sees again."""
        if not blind:
            self._board.solved("canaries")
            log.warning("a canary answers again: the monitor sees out")
            return
        log.error("no canary answers: failures are recorded as unknown until one does")
        self._board.problem("canaries", BLIND, ready=True)
        now, _ = self._clock()
        lines = tuple(self._telemetry.canaries)
        self._write_later(lambda db: tell_operators(db, self._context, OperatorNews.BLIND, lines, now))

    def figures_drifted(self, lines: tuple[str, ...]) -> None:
        """Tell the operators of figures that had drifted from the books."""
        now, _ = self._clock()
        self._write_later(lambda db: tell_operators(db, self._context, OperatorNews.FIGURES, lines, now))

    def dead_letter(self, mail: Mail, error: str) -> Callable[[Database], object]:
        """Tell the operators of a mail that nobody will get, unless it was one to them."""
        now, _ = self._clock()
        lines = (f"{mail.id}: {', '.join(mail.remaining)}: {mail.subject}", error, f"monitor mail resend {mail.id}")
        if mail.kind == "monitor":
            return lambda _: None
        return lambda db: tell_operators(db, self._context, OperatorNews.DEAD_LETTER, lines, now)

    def mails_wait(self, pending: tuple[int, Millis | None]) -> None:
        """Take note of what has not left the outbox."""
        self._board.mail(*pending)
