"""Books on the desk: a configuration, a database and the door for results, told stories sweep by sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.ledger import maintenance
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.results.recording import Recording
from monitor.ledger.terms import record_terms
from monitor.model import CheckKey
from monitor.store import database, history, journal, outbox
from tests.fakes import MINUTE, OUTCOMES_BY_LETTER, START, ledger_in_memory, make_result, terms_effective_from

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.ledger.maintenance import ExternalAnnouncement
    from monitor.ledger.results.recording import RecordedResults
    from monitor.model import Millis, Outage, Result
    from monitor.sla.maintenance import MaintenanceWindow
    from monitor.store.outbox import Mail


class LedgerFixture:
    """Everything that the writer's thread does, done at once; ``minute`` counts from START."""

    def __init__(self, context: LedgerContext, db: Database | None = None) -> None:
        self.db = db if db is not None else ledger_in_memory()
        self.context = context
        self.recording = Recording(context)
        self.relay_accepts = True
        """Whether a mail has left when the next sweep ends."""

    def apply_terms(self, at: Millis = START) -> None:
        """Put the configuration into force, as the daemon does when it starts or reloads."""
        with database.transaction(self.db):
            record_terms(self.db, terms_effective_from(self.context.terms, at), at)

    def reconfigure(self, context: LedgerContext, at: Millis) -> None:
        """Swap the configuration, as a reload does."""
        self.context = self.recording.context = context
        self.apply_terms(at)

    def restart(self, at: Millis) -> None:
        """Begin as a new process does: with nothing in memory."""
        self.recording = Recording(self.context)
        with database.transaction(self.db):
            self.recording.recover(self.db, at)

    def record(self, sweep: int, incoming: list[Result], at: Millis) -> RecordedResults:
        with database.transaction(self.db):
            return self.recording.record(self.db, sweep, incoming, at)

    def end_sweep(self, sweep: int, at: Millis) -> None:
        with database.transaction(self.db):
            if self.relay_accepts:
                for mail in outbox.due_mails(self.db, at):
                    outbox.mark_sent(self.db, mail.id, at, "250 OK")
            self.recording.end_sweep(self.db, sweep, at)

    def record_sweep(self, minute: int, **letters: str) -> None:
        """One sweep, written and closed: ``web_01="x"`` is its ping, ``web_01__site="o"`` a service."""
        at = START + minute * MINUTE
        came = [
            make_result(check_key(name), at, OUTCOMES_BY_LETTER[letter])
            for name, letter in letters.items()
            if letter in OUTCOMES_BY_LETTER
        ]
        self.record(minute, came, at + 500)
        self.end_sweep(minute, at + MINUTE)

    def record_sweeps(self, **stories: str) -> None:
        """Many sweeps, a letter each, from minute 0."""
        for minute in range(max(map(len, stories.values()))):
            self.record_sweep(minute, **{name: story[minute : minute + 1] for name, story in stories.items()})

    def announce(
        self,
        *servers: str,
        start: Millis,
        end: Millis,
        at: Millis = START,
        emergency: str | None = None,
        external: ExternalAnnouncement | None = None,
    ) -> MaintenanceWindow:
        with database.transaction(self.db):
            asked = maintenance.MaintenanceRequest(servers, start, end, "new disks", emergency, external)
            return maintenance.announce(self.db, self.context, asked, at)

    def mails(self, kind: str = "outages") -> list[Mail]:
        return [mail for mail in outbox.list_mails(self.db) if mail.kind == kind]

    def mailed_news(self, customer: str | None) -> list[list[tuple[str, str, str]]]:
        """What each mail to a customer tells: the notice, the server, the check."""
        return [
            [(news["notice"], news["server"], news["check"]) for news in mail.body["news"]]
            for mail in self.mails()
            if mail.customer == customer
        ]

    def outages(self) -> list[Outage]:
        return list(history.list_outages(self.db))

    def journal_bodies(self, *kinds: str) -> list[dict[str, Any]]:
        return [entry.body for entry in journal.entries(self.db, *kinds)]

    def ledger(self, at: Millis) -> LedgerView:
        return LedgerView(self.db, at, self.context.terms)


def check_key(name: str) -> CheckKey:
    server, _, check = name.partition("__")
    return CheckKey(server.replace("_", "-"), check or "ping")
