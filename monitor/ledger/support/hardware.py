"""Failed hardware and its replacement (5.2.1, 5.2.2): facts of the journal, folded into cases, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.errors import InputError
from monitor.formatting import instant
from monitor.ledger.outage_history import next_number
from monitor.ledger.recorded_by import recorder
from monitor.ledger.subscribed import asked_for, broken_within
from monitor.ledger.terms import versions
from monitor.mail.text import one_line
from monitor.sla import hardware as rules
from monitor.sla.hardware import Case, CaseState
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from monitor.model import Millis, Span
    from monitor.sla.terms import Terms

OPENED, REPLACED = KINDS = ("hardware-opened", "hardware-replaced")


def cases(db: Database, at: Millis | None = None) -> tuple[Case, ...]:
    """Give the cases as the books stood at a moment, or as they stand, by their number."""
    return rules.cases(_fact(entry) for entry in journal.entries(db, *KINDS, until=at))


def _fact(entry: journal.Entry) -> rules.Fact:
    body = entry.body
    if entry.kind == REPLACED:
        return rules.Replaced(body["case"], entry.at, body["replaced_at"], body["recorded_by"])
    return rules.Opened(
        id=body["case"],
        at=entry.at,
        subscription=body["subscription"],
        server=body["server"],
        part=body["part"],
        opened_at=body["opened_at"],
        reference=body["reference"],
        by=body["recorded_by"],
    )


def open_case(
    db: Database,
    current: Terms,
    subscription: str,
    part: str,
    reference: str | None,
    opened_at: Millis | None,
    at: Millis,
) -> Case:
    """Record that a part failed, now unless ``opened_at`` says when.

    Raises InputError where the product has no such guarantee, with the clause, or where nothing was agreed then.
    """
    when = at if opened_at is None else opened_at
    if when > at:
        raise InputError("--at: a part cannot have failed in the future")
    agreed = asked_for(versions(db, at, current), subscription, when)
    product = agreed.subscription.product
    if product != rules.OWNED:
        raise InputError(f"--subscription {subscription}: its product is {product}, and {rules.WHY_NOT[product]}")
    number = next_number(case.id for case in cases(db))
    body = {
        "case": number,
        "subscription": subscription,
        "server": agreed.subscription.server,
        "part": one_line(part),
        "opened_at": when,
        "reference": one_line(reference) if reference is not None else None,
        "recorded_by": recorder(),
    }
    journal.append(db, at, OPENED, body)
    return case_of(db, number)


def replaced(db: Database, zone: str, number: int, replaced_at: Millis | None, at: Millis) -> Case:
    """Record that the part of a case was replaced, now unless ``replaced_at`` says when. Raises InputError."""
    case = case_of(db, number)
    when = at if replaced_at is None else replaced_at
    if case.replaced_at is not None:
        raise InputError(f"hardware {number} was replaced already, at {instant(case.replaced_at, zone, 'en')}")
    if when > at:
        raise InputError("--at: a part cannot have been replaced in the future")
    if when < case.opened_at:
        failed = instant(case.opened_at, zone, "en")
        raise InputError(f"--at: a part cannot have been replaced before it failed, at {failed}")
    journal.append(db, at, REPLACED, {"case": number, "replaced_at": when, "recorded_by": recorder()})
    return case_of(db, number)


def case_of(db: Database, number: int) -> Case:
    """Give one case by its number. Raises InputError for one that is not there."""
    for case in cases(db):
        if case.id == number:
            return case
    raise InputError(f"hardware {number}: there is none; `monitor hardware list` shows them")


def waiting(db: Database) -> tuple[Case, ...]:
    """Give the cases that are open, the one that is due first before the others."""
    return tuple(sorted((case for case in cases(db) if case.state is CaseState.OPEN), key=lambda case: case.due))


def broken_in(db: Database, known: Sequence[Terms], at: Millis, window: Span) -> tuple[Case, ...]:
    """Give the cases for which a credit is owed in a month, as the books stood at ``at``.

    See ``broken_within``; whoever waits still has the credit already.
    """
    return tuple(
        case
        for case in cases(db, at)
        if case.broken(at) and broken_within(known, case.subscription, case.due, case.opened_at, window)
    )
