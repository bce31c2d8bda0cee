"""Exclusions (4.2 to 4.10, docs/contract.md#what-does-not-count): recorded and withdrawn, never deleted.

An exclusion consists of its facts in the journal. That of an interval has times of its own. That of an outage lasts
from the outage's first fail to its end and applies to its check; if an import changes the outage, it changes too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from monitor.errors import InputError
from monitor.formatting import one_line
from monitor.ledger.outage_history import next_number, outage_extents
from monitor.ledger.recorded_by import recorded_by
from monitor.ledger.terms import terms_versions
from monitor.model import Span
from monitor.sla.exclusions import Exclusion
from monitor.sla.terms import CUSTOMER_CLAUSES, RECORDED_CLAUSES
from monitor.store import journal, results

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.terms import Terms

EXCLUSION_EVENTS = ("exclusion-added", "exclusion-withdrawn")


@dataclass(frozen=True, slots=True)
class ExclusionRequest:
    """An operator's request to exclude an outage, or an interval of a server."""

    clause: str
    reason: str
    outage: int | None = None
    server: str | None = None
    span: Span | None = None
    check: str | None = None
    subscription: str | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The withdrawal of an exclusion: when, by whom and why; ``entry`` is the number of its journal entry."""

    at: Millis
    by: str
    reason: str
    entry: int


@dataclass(frozen=True, slots=True)
class ExclusionRecord:
    """A recorded exclusion."""

    id: int
    server: str
    check: str | None
    """The one check that it applies to; None: the whole server."""
    subscription: str | None
    """The one subscription that it is limited to; None: all."""
    outage: int | None
    """The outage that it covers; None for an interval."""
    start: Millis
    end: Millis | None
    """None while the outage is open."""
    clause: str
    reason: str
    recorded_at: Millis
    recorded_by: str
    entry: int
    """The number of its journal entry."""
    withdrawn: Withdrawal | None = None

    @property
    def reference(self) -> str:
        """Its name in reports."""
        return f"exclusion {self.id}"

    def exclusion(self, at: Millis) -> Exclusion:
        """Return the exclusion for the accounts as of ``at``: it ends then while the outage is open."""
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


def known_exclusions(db: Database, at: Millis, rewritten: Collection[int] = ()) -> tuple[ExclusionRecord, ...]:
    """Return the exclusions that were recorded by ``at``, including withdrawn ones.

    ``rewritten`` are the ids of the checks that an import has changed since.
    """
    entries = list(journal.entries(db, *EXCLUSION_EVENTS, until=at))
    outage_ids = (entry.body["outage"] for entry in entries if entry.kind == "exclusion-added")
    extents = outage_extents(db, (number for number in outage_ids if number is not None), at, rewritten)
    records: dict[int, ExclusionRecord] = {}
    for entry in entries:
        body, number = entry.body, entry.body["exclusion"]
        if entry.kind == "exclusion-withdrawn":
            if number in records:
                withdrawal = Withdrawal(entry.at, body["recorded_by"], body["reason"], entry.number)
                records[number] = replace(records[number], withdrawn=withdrawal)
            continue
        start, end, outage = body["start"], body["end"], body["outage"]
        if outage is not None:
            extent = extents.get(outage)
            if extent is None:
                continue
            start, end, outage = extent.start, extent.end, extent.id
        records[number] = ExclusionRecord(
            id=number,
            server=body["server"],
            check=body["check"],
            subscription=body["subscription"],
            outage=outage,
            start=start,
            end=end,
            clause=body["clause"],
            reason=body["reason"],
            recorded_at=entry.at,
            recorded_by=body["recorded_by"],
            entry=entry.number,
        )
    return tuple(records.values())


def add(db: Database, current: Terms, request: ExclusionRequest, at: Millis) -> ExclusionRecord:
    """Record an exclusion. Raises InputError if the request is not valid."""
    _check_clause(request)
    versions = terms_versions(db, at, current)
    if request.outage is not None:
        extent = outage_extents(db, [request.outage], at, ()).get(request.outage)
        if extent is None:
            raise InputError(f"--outage {request.outage}: no such outage; see `monitor outages list`")
        if request.check not in (None, extent.check.name):
            raise InputError(f"--check {request.check}: outage {extent.id} is an outage of {extent.check}")
        body: dict[str, Any] = {"outage": extent.id, "server": extent.check.server, "check": extent.check.name}
        body |= {"start": None, "end": None}
    elif request.server is not None and request.span is not None:
        _check_target(db, versions, request.server, request.check)
        if request.span.end <= request.span.start:
            raise InputError("--end: an exclusion must end after it starts")
        body = {"outage": None, "server": request.server, "check": request.check}
        body |= {"start": request.span.start, "end": request.span.end}
    else:
        raise InputError("give --outage, or --server with --start and --end")
    if request.subscription is not None:
        _check_subscription(versions, request.subscription, body["server"])
    number = next_number(entry.body["exclusion"] for entry in journal.entries(db, EXCLUSION_EVENTS[0]))
    body |= {
        "exclusion": number,
        "subscription": request.subscription,
        "clause": request.clause,
        "reason": one_line(request.reason),
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, EXCLUSION_EVENTS[0], body)
    return _exclusion_of(db, number, at)


def withdraw(db: Database, number: int, reason: str, at: Millis) -> ExclusionRecord:
    """Withdraw an exclusion from now on. Raises InputError if it does not exist or is withdrawn already."""
    withdrawn = _exclusion_of(db, number, at).withdrawn
    if withdrawn is not None:
        raise InputError(f"exclusion {number} was withdrawn already, by {withdrawn.by}: {withdrawn.reason}")
    journal.append(
        db, at, EXCLUSION_EVENTS[1], {"exclusion": number, "reason": one_line(reason), "recorded_by": recorded_by()}
    )
    return _exclusion_of(db, number, at)


def _exclusion_of(db: Database, number: int, at: Millis) -> ExclusionRecord:
    for record in known_exclusions(db, at):
        if record.id == number:
            return record
    raise InputError(f"exclusion {number} does not exist; see `monitor exclude list`")


def _check_clause(request: ExclusionRequest) -> None:
    if request.clause not in RECORDED_CLAUSES:
        raise InputError(f"--clause {request.clause}: must be one of {', '.join(RECORDED_CLAUSES)}")
    if request.subscription is not None and request.clause not in CUSTOMER_CLAUSES:
        raise InputError(
            f"--subscription: clause {request.clause} applies to all subscriptions of a server;"
            f" only {', '.join(CUSTOMER_CLAUSES)} can be limited to one subscription"
        )


def _check_target(db: Database, versions: Sequence[Terms], server: str, check: str | None) -> None:
    """Raise InputError if neither a version of the terms nor the records contain the server and the check."""
    measured = results.check_ids(db)
    configured = [server_terms.servers[server] for server_terms in versions if server in server_terms.servers]
    if not configured and not any(key.server == server for key in measured):
        raise InputError(f"--server {server}: no such server in the configuration or the records")
    names = dict.fromkeys(known_check.name for server_terms in configured for known_check in server_terms.checks)
    names |= {key.name: None for key in measured if key.server == server}
    if check is not None and check not in names:
        has = f"it has {', '.join(names)}" if names else "it has none"
        raise InputError(f"--check {check}: server {server} has no such check; {has}")


def _check_subscription(versions: Sequence[Terms], name: str, server: str) -> None:
    subscriptions = [terms.subscriptions[name] for terms in versions if name in terms.subscriptions]
    if not subscriptions:
        raise InputError(f"--subscription {name}: no such subscription in the configuration or the records")
    if all(subscription.server != server for subscription in subscriptions):
        raise InputError(f"--subscription {name}: is on server {subscriptions[-1].server}, not on {server}")
