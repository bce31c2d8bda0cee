"""Exclusions (clauses 4.2 to 4.10, reading.md 6): recorded by an operator, withdrawn by a later record, never deleted.

An exclusion is nothing but its facts in the journal. One of an interval says its times itself; one of an outage runs
from the outage's first fail to its end, excuses the outage's check, and goes where an import takes the outage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from monitor.errors import InputError
from monitor.ledger.outage_history import extents, next_number
from monitor.ledger.recorded_by import recorder
from monitor.ledger.terms import versions
from monitor.mail.text import one_line
from monitor.model import Span
from monitor.sla.exclusions import Exclusion
from monitor.sla.terms import PERSONAL_CLAUSES, RECORDED_CLAUSES
from monitor.store import journal, results

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.terms import Terms

KINDS = ("exclusion-added", "exclusion-withdrawn")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator asks to have excluded: an outage, or an interval of a server."""

    clause: str
    reason: str
    outage: int | None = None
    server: str | None = None
    span: Span | None = None
    check: str | None = None
    subscription: str | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That an exclusion does not hold any more: since when, by whom, why, by which entry of the journal."""

    at: Millis
    by: str
    reason: str
    entry: int


@dataclass(frozen=True, slots=True)
class Record:
    """An exclusion as its facts stand."""

    id: int
    server: str
    check: str | None
    """The one check that it excuses; None is the whole server."""
    subscription: str | None
    """The one subscription that it is limited to; None is all."""
    outage: int | None
    """The outage that it covers, where it is one's."""
    start: Millis
    end: Millis | None
    """None while its outage is open."""
    clause: str
    reason: str
    recorded_at: Millis
    recorded_by: str
    entry: int
    """The journal's number of the fact."""
    withdrawn: Withdrawal | None = None

    @property
    def reference(self) -> str:
        """What reports call it."""
        return f"exclusion {self.id}"

    def exclusion(self, at: Millis) -> Exclusion:
        """Give it as the accounts count it at a moment: to that moment while its outage is open."""
        end = at if self.end is None else self.end
        return Exclusion(
            clause=self.clause,
            span=Span(self.start, max(self.start, end)),
            reference=self.reference,
            recorded_at=self.recorded_at,
            servers=frozenset({self.server}),
            check=self.check,
            subscription=self.subscription,
        )


def known_exclusions(db: Database, at: Millis, rewritten: Collection[int] = ()) -> tuple[Record, ...]:
    """Give the exclusions as the books stood at a moment, those withdrawn by then too.

    ``rewritten`` are the numbers of the checks that an import has changed since.
    """
    facts = list(journal.entries(db, *KINDS, until=at))
    asked = (fact.body["outage"] for fact in facts if fact.kind == "exclusion-added")
    covered = extents(db, (number for number in asked if number is not None), at, rewritten)
    found: dict[int, Record] = {}
    for fact in facts:
        body, number = fact.body, fact.body["exclusion"]
        if fact.kind == "exclusion-withdrawn":
            if number in found:
                withdrawal = Withdrawal(fact.at, body["recorded_by"], body["reason"], fact.number)
                found[number] = replace(found[number], withdrawn=withdrawal)
            continue
        start, end, outage = body["start"], body["end"], body["outage"]
        if outage is not None:
            extent = covered.get(outage)
            if extent is None:
                continue
            start, end, outage = extent.start, extent.end, extent.id
        found[number] = Record(
            id=number,
            server=body["server"],
            check=body["check"],
            subscription=body["subscription"],
            outage=outage,
            start=start,
            end=end,
            clause=body["clause"],
            reason=body["reason"],
            recorded_at=fact.at,
            recorded_by=body["recorded_by"],
            entry=fact.number,
        )
    return tuple(found.values())


def add(db: Database, current: Terms, asked: Asked, at: Millis) -> Record:
    """Record an exclusion. Raises InputError, which names what is wrong, where it cannot be as asked."""
    _check_clause(asked)
    terms = versions(db, at, current)
    if asked.outage is not None:
        extent = extents(db, [asked.outage], at, ()).get(asked.outage)
        if extent is None:
            raise InputError(f"--outage {asked.outage}: there is none; `monitor outages list` shows them")
        if asked.check not in (None, extent.check.name):
            raise InputError(f"--check {asked.check}: outage {extent.id} is one of {extent.check}")
        body: dict[str, Any] = {"outage": extent.id, "server": extent.check.server, "check": extent.check.name}
        body |= {"start": None, "end": None}
    elif asked.server is not None and asked.span is not None:
        _check_place(db, terms, asked.server, asked.check)
        if asked.span.end <= asked.span.start:
            raise InputError("--end: an exclusion must end after it starts")
        body = {"outage": None, "server": asked.server, "check": asked.check}
        body |= {"start": asked.span.start, "end": asked.span.end}
    else:
        raise InputError("give --outage, or --server with --start and --end")
    if asked.subscription is not None:
        _check_subscription(terms, asked.subscription, body["server"])
    number = next_number(fact.body["exclusion"] for fact in journal.entries(db, KINDS[0]))
    body |= {
        "exclusion": number,
        "subscription": asked.subscription,
        "clause": asked.clause,
        "reason": one_line(asked.reason),
        "recorded_by": recorder(),
    }
    journal.append(db, at, KINDS[0], body)
    return _record(db, number, at)


def withdraw(db: Database, number: int, reason: str, at: Millis) -> Record:
    """Withdraw an exclusion: from now on it does not hold. Raises InputError for one unknown or withdrawn already."""
    withdrawn = _record(db, number, at).withdrawn
    if withdrawn is not None:
        raise InputError(f"exclusion {number} was withdrawn already, by {withdrawn.by}: {withdrawn.reason}")
    journal.append(db, at, KINDS[1], {"exclusion": number, "reason": one_line(reason), "recorded_by": recorder()})
    return _record(db, number, at)


def _record(db: Database, number: int, at: Millis) -> Record:
    for record in known_exclusions(db, at):
        if record.id == number:
            return record
    raise InputError(f"exclusion {number}: there is none; `monitor exclude list` shows them")


def _check_clause(asked: Asked) -> None:
    if asked.clause not in RECORDED_CLAUSES:
        raise InputError(f"--clause {asked.clause}: must be one of {', '.join(RECORDED_CLAUSES)}")
    if asked.subscription is not None and asked.clause not in PERSONAL_CLAUSES:
        raise InputError(
            f"--subscription: clause {asked.clause} concerns everybody on a server;"
            f" only {', '.join(PERSONAL_CLAUSES)} can be limited to one subscription"
        )


def _check_place(db: Database, terms: Sequence[Terms], server: str, check: str | None) -> None:
    """The server and the check must be known: from the configuration, of now or of the past, or from the records."""
    measured = results.numbers(db)
    known = [each.servers[server] for each in terms if server in each.servers]
    if not known and not any(key.server == server for key in measured):
        raise InputError(f"--server {server}: no such server in the configuration or the records")
    names = dict.fromkeys(one.name for each in known for one in each.checks)
    names |= {key.name: None for key in measured if key.server == server}
    if check is not None and check not in names:
        has = f"it has {', '.join(names)}" if names else "it has none"
        raise InputError(f"--check {check}: server {server} has no such check; {has}")


def _check_subscription(terms: Sequence[Terms], name: str, server: str) -> None:
    known = [each.subscriptions[name] for each in terms if name in each.subscriptions]
    if not known:
        raise InputError(f"--subscription {name}: no such subscription in the configuration or the records")
    if all(one.server != server for one in known):
        raise InputError(f"--subscription {name}: is not on server {server} but on {known[-1].server}")
