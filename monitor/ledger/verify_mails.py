"""Compares mails, raised problems and the alert states of checks with the journal.

A changed mail would be sent, or shown as evidence, with other words. A problem or an outage that is marked as notified
by mistake would never be mailed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitor.mail.delivery.transport import QUEUE_LIFETIME
from monitor.model import CheckKey
from monitor.store import daemon_state, history, mail_facts, outbox, results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.store.journal import JournalEntry
    from monitor.store.outbox import Mail

_OUTAGE_TIMES = ("start", "end")


@dataclass
class MailAudit:
    """Collects the journal's record of mails, problems and outages, then compares it with the stored data."""

    contents: dict[int, str] = field(default_factory=dict)
    deliveries: dict[int, str] = field(default_factory=dict)
    requeued: set[int] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    """The digest of each problem that was mailed and is not over."""
    changes: dict[CheckKey, set[int]] = field(default_factory=dict)
    """The starts and ends of the outages of each check."""
    keys: dict[int, CheckKey] = field(default_factory=dict)
    joined: dict[int, int] = field(default_factory=dict)
    claimed: dict[int, int] = field(default_factory=dict)
    """The outage of each claim."""
    rejected: set[int] = field(default_factory=set)
    """The ids of outages that were rejected because the clock was wrong."""
    recorded: bool = False
    """Whether the journal contains mails: an earlier version recorded none."""
    adopted: set[int] = field(default_factory=set)

    def add_entry(self, entry: JournalEntry) -> None:
        """Add the next entry of the journal."""
        body = entry.body
        if entry.kind == mail_facts.QUEUED:
            self.recorded = True
            self.contents[body["mail"]] = body["sha256"]
        elif entry.kind in mail_facts.DELIVERY_KINDS:
            self.deliveries[body["mail"]] = body["sha256"]
        elif entry.kind == mail_facts.ADOPTED:
            self.recorded = True
            for mail_id, content, delivery in body["mails"]:
                self.contents[mail_id], self.deliveries[mail_id] = content, delivery
                self.adopted.add(mail_id)
        elif entry.kind == "problem-raised":
            self.problems[body["problem"]] = body["sha256"]
        elif entry.kind == "problem-cleared":
            self.problems.pop(body["problem"], None)
        elif entry.kind == "claim-opened":
            self.claimed[body["claim"]] = body["outage"]
        elif entry.kind == "outage-rejected":
            self.rejected.add(body["outage"])
        elif entry.kind.startswith("outage-"):
            self._add_outage_entry(body)

    def _add_outage_entry(self, body: dict[str, Any]) -> None:
        outage_id = body["outage"]
        if "into" in body:
            self.joined[outage_id] = body["into"]
            return
        if "check" in body:
            self.keys[outage_id] = CheckKey(body["server"], body["check"])
        times = self.changes.setdefault(self.keys[outage_id], set())
        times.update(body[name] for name in _OUTAGE_TIMES if body.get(name) is not None)

    def errors(self, db: Database) -> Iterator[str]:
        """Return the differences."""
        yield from self._problem_errors(db)
        yield from self._alert_errors(db)
        if self.recorded:
            yield from self._digest_errors(db)
            for mail in outbox.list_mails(db):
                yield from self._mail_errors(mail)
            yield from self._link_errors(db)

    def _problem_errors(self, db: Database) -> Iterator[str]:
        raised = daemon_state.get(db, daemon_state.RAISED_PROBLEMS) or {}
        digests = {name: mail_facts.lines_digest(lines) for name, lines in raised.items()}
        for name in sorted(digests.keys() | self.problems.keys()):
            if digests.get(name) != self.problems.get(name):
                yield f"the problem {name}: the mailed lines differ from the journal"

    def _alert_errors(self, db: Database) -> Iterator[str]:
        keys = {check_id: key for key, check_id in results.check_ids(db).items()}
        open_outages = history.open_outages(db)
        for check_id, alerts in history.read_alerting(db).items():
            key = keys[check_id]
            times = self.changes.get(key, set()) | {0}
            if alerts.notified and alerts.flapping_since is None and check_id not in open_outages:
                yield f"{key}: an outage is marked as notified, but none is open"
            if not times >= {alerts.last_change, *alerts.recent_starts, alerts.flapping_since or 0}:
                yield f"{key}: the changes of its alert state are not those of its outages"

    def _digest_errors(self, db: Database) -> Iterator[str]:
        expected_digests = dict(self.contents)
        for mail_id, _, content, delivery in mail_facts.digests_of_mails(db):
            expected = expected_digests.pop(mail_id, None)
            if expected is None:
                yield f"mail {mail_id}: not in the journal"
            elif expected != content:
                yield f"mail {mail_id}: its text, recipients or times differ from the journal"
            elif self.deliveries.get(mail_id, delivery) != delivery:
                yield f"mail {mail_id}: its state, times, recipients left or the relay's reply differ from the journal"
        for mail_id in expected_digests:
            yield f"mail {mail_id}: in the journal, but not stored"

    def _mail_errors(self, mail: Mail) -> Iterator[str]:
        if mail.sweep is None and mail.id not in self.deliveries:
            all_recipients = tuple(dict.fromkeys([*mail.recipients, *mail.copies]))
            as_queued = ("pending", all_recipients, mail.queued_at, None, "")
            if (mail.state, mail.remaining, mail.since, mail.sent_at, mail.reply) != as_queued:
                yield f"mail {mail.id}: its delivery is not in the journal"
        if mail.state == "pending" and mail.next_try > mail.since + QUEUE_LIFETIME:
            yield f"mail {mail.id}: its next attempt is later than the last possible one"
        if min(mail.queued_at, mail.since, mail.next_try, mail.sent_at or 0) < 0:
            yield f"mail {mail.id}: a time before 1970"

    def _link_errors(self, db: Database) -> Iterator[str]:
        """Compare the stored links of mails and outages with the news in the mails."""
        stored: dict[int, set[int]] = {}
        for outage, mail in db.execute("SELECT outage, mail FROM told"):
            stored.setdefault(mail, set()).add(outage)
        for mail_id in self.contents.keys() - self.adopted:
            mail_row = outbox.get(db, mail_id)
            if mail_row is None:
                continue
            expected = {self._current_outage(outage) for outage in self._outages_of(mail_row)}
            if stored.get(mail_id, set()) != expected - self.rejected:
                yield f"mail {mail_id}: its linked outages are not those of its text"

    def _outages_of(self, mail: Mail) -> Iterator[int]:
        """Return the ids of the outages that a mail is about."""
        if mail.kind == "outages":
            yield from (event["outage"] for event in mail.body["news"] if event["outage"] is not None)
        elif mail.kind == "claims":
            yield self.claimed[mail.body["claim"]]

    def _current_outage(self, outage: int) -> int:
        while outage in self.joined:
            outage = self.joined[outage]
        return outage
