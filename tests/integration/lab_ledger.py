"""What stands in the books of a daemon, read beside it: cheap enough to look often."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from monitor.model import CheckKey, Outcome, Result
from monitor.store import database, history, outbox, results
from monitor.store.history import last_runs
from tests.fakes import all_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlite_utils import Database

    from monitor.model import Outage
    from monitor.store.outbox import Mail


class MailedNews(NamedTuple):
    """One piece of news in a mail about outages."""

    customer: str | None
    notice: str
    check: CheckKey
    outage: int | None
    mail: str
    """The Message-ID of the mail that tells it."""


class LedgerReader:
    """The data folder of a daemon."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / database.DATABASE_FILE

    @contextmanager
    def _open(self) -> Iterator[Database]:
        db = database.open_read_only(self._file)
        try:
            with database.snapshot(db):
                yield db
        finally:
            db.close()

    def outages(self) -> list[Outage]:
        """Give all outages, by their beginning."""
        with self._open() as db:
            return list(history.list_outages(db))

    def results(self, key: CheckKey | None = None) -> list[Result]:
        """Give all results in time order, of one check or of all."""
        with self._open() as db:
            return list(all_results(db) if key is None else results.read(db, key, 0, 1 << 62))

    def last_outcomes(self) -> Mapping[CheckKey, Outcome]:
        """Give the outcome of the last result of each check."""
        with self._open() as db:
            runs = last_runs(db)
            return {key: runs[number].outcome for key, number in results.check_ids(db).items() if number in runs}

    def newest_result_at(self) -> int:
        """Give the time of the newest result; 0 where there is none."""
        with self._open() as db:
            return results.newest_result_at(db) or 0

    def mails(self) -> list[Mail]:
        """Give all mails, oldest first."""
        with self._open() as db:
            return outbox.list_mails(db)

    def sent_mails(self) -> list[Mail]:
        """Return the mails that left; one that was joined with a later one did not."""
        return [mail for mail in self.mails() if mail.state == "sent"]

    def pending_mails(self) -> int:
        """Count the mails that have not left."""
        with self._open() as db:
            return outbox.summary(db).pending

    def mailed_news(self) -> list[MailedNews]:
        """Return all news about outages, in the order of the mails that left with it."""
        return [
            MailedNews(
                mail.customer, news["notice"], CheckKey(news["server"], news["check"]), news["outage"], mail.message_id
            )
            for mail in self.sent_mails()
            if mail.kind == "outages"
            for news in mail.body["news"]
        ]

    def all_checks_are(self, outcome: Outcome, count: int) -> bool:
        """Whether so many checks have results, and all their last ones are ``outcome``."""
        last = self.last_outcomes()
        return len(last) == count and set(last.values()) == {outcome}
