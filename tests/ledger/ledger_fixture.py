"""Books on the desk: a configuration, a database and the door for results, told stories sweep by sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.ledger import maintenance
from monitor.ledger.accounts.accounts import Books
from monitor.ledger.results.recording import Recording
from monitor.ledger.terms import come_into_force
from monitor.model import CheckKey
from monitor.store import database, journal, outages, outbox
from tests.fakes import LETTERS, MINUTE, START, a_result, books_in_memory, retimed

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.ledger.maintenance import Elsewhere
    from monitor.ledger.remembered import Recorded
    from monitor.model import Millis, Outage, Result
    from monitor.sla.maintenance import Window
    from monitor.store.outbox import Mail


class Desk:
    """Everything that the writer's thread does, done at once; ``minute`` counts from START."""

    def __init__(self, context: Context, db: Database | None = None) -> None:
        self.db = db if db is not None else books_in_memory()
        self.context = context
        self.recording = Recording(context)

    def now_in_force(self, at: Millis = START) -> None:
        """Put the configuration into force, as the daemon does when it starts or reloads."""
        with database.transaction(self.db):
            come_into_force(self.db, retimed(self.context.terms, at), at)

    def reconfigure(self, context: Context, at: Millis) -> None:
        """Swap the configuration, as a reload does."""
        self.context = self.recording.context = context
        self.now_in_force(at)

    def restart(self, at: Millis) -> None:
        """Begin as a new process does: with nothing in memory."""
        self.recording = Recording(self.context)
        with database.transaction(self.db):
            self.recording.take_over(self.db, at)

    def record(self, sweep: int, came: list[Result], at: Millis) -> Recorded:
        with database.transaction(self.db):
            return self.recording.record(self.db, sweep, came, at)

    def end(self, sweep: int, at: Millis) -> None:
        with database.transaction(self.db):
            self.recording.end_sweep(self.db, sweep, at)

    def sweep(self, minute: int, **letters: str) -> None:
        """One sweep, written and closed: ``web_01="x"`` is its ping, ``web_01__site="o"`` a service."""
        at = START + minute * MINUTE
        came = [a_result(key_of(name), at, LETTERS[letter]) for name, letter in letters.items() if letter in LETTERS]
        self.record(minute, came, at + 500)
        self.end(minute, at + MINUTE)

    def tell(self, **stories: str) -> None:
        """Many sweeps, a letter each, from minute 0."""
        for minute in range(max(map(len, stories.values()))):
            self.sweep(minute, **{name: story[minute : minute + 1] for name, story in stories.items()})

    def announce(
        self,
        *servers: str,
        start: Millis,
        end: Millis,
        at: Millis = START,
        emergency: str | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> Window:
        with database.transaction(self.db):
            asked = maintenance.Asked(servers, start, end, "new disks", emergency, elsewhere)
            return maintenance.announce(self.db, self.context, asked, at)

    def mails(self, kind: str = "outages") -> list[Mail]:
        return [mail for mail in outbox.listing(self.db) if mail.kind == kind]

    def told(self, customer: str | None) -> list[list[tuple[str, str, str]]]:
        """What each mail to a customer tells: the notice, the server, the check."""
        return [
            [(news["notice"], news["server"], news["check"]) for news in mail.body["news"]]
            for mail in self.mails()
            if mail.customer == customer
        ]

    def outages(self) -> list[Outage]:
        return list(outages.listing(self.db))

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        return [entry.body for entry in journal.entries(self.db, *kinds)]

    def books(self, at: Millis) -> Books:
        return Books(self.db, at, self.context.terms)


def key_of(name: str) -> CheckKey:
    server, _, check = name.partition("__")
    return CheckKey(server.replace("_", "-"), check or "ping")
