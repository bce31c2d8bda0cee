"""What customers and operators were told, compared with the journal: mails, told problems, the alerts of each check.

A mail that was changed would be sent, or shown as evidence, with other words; a problem or an outage that is marked as
told although nobody was is never mailed.
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
    """What the journal says of mails, problems and changes of checks, entry after entry; then the comparison."""

    letters: dict[int, str] = field(default_factory=dict)
    deliveries: dict[int, str] = field(default_factory=dict)
    requeued: set[int] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    """The digest of each problem that was told and is not over."""
    changes: dict[CheckKey, set[int]] = field(default_factory=dict)
    """When outages of a check began or ended, by any entry."""
    keys: dict[int, CheckKey] = field(default_factory=dict)
    joined: dict[int, int] = field(default_factory=dict)
    claimed: dict[int, int] = field(default_factory=dict)
    """The outage of each claim."""
    rejected: set[int] = field(default_factory=set)
    """Outages that were taken back, because the clock was wrong."""
    recorded: bool = False
    """Whether the journal tells of mails at all: an earlier version recorded none."""
    adopted: set[int] = field(default_factory=set)

    def add_entry(self, entry: JournalEntry) -> None:
        """Take the next entry of the journal."""
        body = entry.body
        if entry.kind == mail_facts.QUEUED:
            self.recorded = True
            self.letters[body["mail"]] = body["sha256"]
        elif entry.kind in mail_facts.DELIVERY_KINDS:
            self.deliveries[body["mail"]] = body["sha256"]
        elif entry.kind == mail_facts.ADOPTED:
            self.recorded = True
            for number, letter, delivery in body["mails"]:
                self.letters[number], self.deliveries[number] = letter, delivery
                self.adopted.add(number)
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
        number = body["outage"]
        if "into" in body:
            self.joined[number] = body["into"]
            return
        if "check" in body:
            self.keys[number] = CheckKey(body["server"], body["check"])
        times = self.changes.setdefault(self.keys[number], set())
        times.update(body[name] for name in _OUTAGE_TIMES if body.get(name) is not None)

    def errors(self, db: Database) -> Iterator[str]:
        """Return what differs, the first first."""
        yield from self._problem_errors(db)
        yield from self._alert_errors(db)
        if self.recorded:
            yield from self._digest_errors(db)
            for mail in outbox.list_mails(db):
                yield from self._mail_errors(mail)
            yield from self._link_errors(db)

    def _problem_errors(self, db: Database) -> Iterator[str]:
        told = daemon_state.get(db, daemon_state.RAISED_PROBLEMS) or {}
        digests = {name: mail_facts.lines_digest(lines) for name, lines in told.items()}
        for name in sorted(digests.keys() | self.problems.keys()):
            if digests.get(name) != self.problems.get(name):
                yield f"the problem {name}: what is noted as told to the operators is not what the journal says"

    def _alert_errors(self, db: Database) -> Iterator[str]:
        names = {number: key for key, number in results.check_ids(db).items()}
        open_outages = history.open_outages(db)
        for number, alerts in history.read_alerting(db).items():
            key = names[number]
            times = self.changes.get(key, set()) | {0}
            if alerts.notified and alerts.flapping_since is None and number not in open_outages:
                yield f"{key}: it is noted that its outage was told, and none is open"
            if not times >= {alerts.last_change, *alerts.recent_starts, alerts.flapping_since or 0}:
                yield f"{key}: the changes by which its alerts are decided are not those of its outages"

    def _digest_errors(self, db: Database) -> Iterator[str]:
        left = dict(self.letters)
        for number, _, letter, delivery in mail_facts.digests_of_mails(db):
            expected = left.pop(number, None)
            if expected is None:
                yield f"mail {number}: the journal does not tell of it"
            elif expected != letter:
                yield f"mail {number}: its text, recipients or times are not those that were recorded"
            elif self.deliveries.get(number, delivery) != delivery:
                yield f"mail {number}: its state, times, recipients left or the relay's reply are not as recorded"
        for number in left:
            yield f"mail {number}: the journal tells of it, and it is not stored any more"

    def _mail_errors(self, mail: Mail) -> Iterator[str]:
        if mail.sweep is None and mail.id not in self.deliveries:
            everybody = tuple(dict.fromkeys([*mail.recipients, *mail.copies]))
            as_queued = ("pending", everybody, mail.queued_at, None, "")
            if (mail.state, mail.remaining, mail.since, mail.sent_at, mail.reply) != as_queued:
                yield f"mail {mail.id}: its delivery is not in the journal"
        if mail.state == "pending" and mail.next_try > mail.since + QUEUE_LIFETIME:
            yield f"mail {mail.id}: its next try is later than any mail is tried"
        if min(mail.queued_at, mail.since, mail.next_try, mail.sent_at or 0) < 0:
            yield f"mail {mail.id}: a time before 1970"

    def _link_errors(self, db: Database) -> Iterator[str]:
        """Compare which mail told of which outage with the news of the mails."""
        stored: dict[int, set[int]] = {}
        for outage, mail in db.execute("SELECT outage, mail FROM told"):
            stored.setdefault(mail, set()).add(outage)
        for mail_id in self.letters.keys() - self.adopted:
            letter = outbox.get(db, mail_id)
            if letter is None:
                continue
            made = {self._now_part_of(outage) for outage in self._outages_of(letter)}
            if stored.get(mail_id, set()) != made - self.rejected:
                yield f"mail {mail_id}: the outages that it is noted to tell of are not those of its text"

    def _outages_of(self, letter: Mail) -> Iterator[int]:
        """Return the outages that a letter tells of."""
        if letter.kind == "outages":
            yield from (each["outage"] for each in letter.body["news"] if each["outage"] is not None)
        elif letter.kind == "claims":
            yield self.claimed[letter.body["claim"]]

    def _now_part_of(self, outage: int) -> int:
        while outage in self.joined:
            outage = self.joined[outage]
        return outage
