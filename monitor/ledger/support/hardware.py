"""Failed hardware and its replacement (5.2.1, 5.2.2): facts of the journal, folded into cases, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.errors import InputError
from monitor.formatting import format_instant, one_line
from monitor.ledger.outage_history import next_number
from monitor.ledger.recorded_by import recorded_by
from monitor.ledger.terms import breach_counts_within, require_terms, terms_versions
from monitor.sla import hardware as rules
from monitor.sla.hardware import HardwareCase, HardwareCaseState
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from monitor.model import Millis, Span
    from monitor.sla.terms import Terms

OPENED, REPLACED = HARDWARE_EVENTS = ("hardware-opened", "hardware-replaced")


def cases(db: Database, at: Millis | None = None) -> tuple[HardwareCase, ...]:
    """Return the cases as the books stood at a moment, or as they stand, by their number."""
    return rules.cases_from(_event(entry) for entry in journal.entries(db, *HARDWARE_EVENTS, until=at))


def _event(entry: journal.JournalEntry) -> rules.HardwareEvent:
    body = entry.body
    if entry.kind == REPLACED:
        return rules.HardwareReplaced(body["case"], entry.at, body["replaced_at"], body["recorded_by"])
    return rules.HardwareCaseOpened(
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
) -> HardwareCase:
    """Record that a part failed, now unless ``opened_at`` says when.

    Raises InputError where the product has no such guarantee, with the clause, or where nothing was agreed then.
    """
    when = at if opened_at is None else opened_at
    if when > at:
        raise InputError("--at: a part cannot have failed in the future")
    agreed = require_terms(terms_versions(db, at, current), subscription, when)
    product = agreed.subscription.product
    if product != rules.HARDWARE_PRODUCT:
        raise InputError(
            f"--subscription {subscription}: its product is {product}, and {rules.NO_GUARANTEE_REASON[product]}"
        )
    number = next_number(case.id for case in cases(db))
    body = {
        "case": number,
        "subscription": subscription,
        "server": agreed.subscription.server,
        "part": one_line(part),
        "opened_at": when,
        "reference": one_line(reference) if reference is not None else None,
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, OPENED, body)
    return case_of(db, number)


def record_replacement(db: Database, zone: str, number: int, replaced_at: Millis | None, at: Millis) -> HardwareCase:
    """Record that the part of a case was replaced, now unless ``replaced_at`` says when. Raises InputError."""
    case = case_of(db, number)
    when = at if replaced_at is None else replaced_at
    if case.replaced_at is not None:
        raise InputError(f"hardware {number} was replaced already, at {format_instant(case.replaced_at, zone)}")
    if when > at:
        raise InputError("--at: a part cannot have been replaced in the future")
    if when < case.opened_at:
        failed = format_instant(case.opened_at, zone)
        raise InputError(f"--at: a part cannot have been replaced before it failed, at {failed}")
    journal.append(db, at, REPLACED, {"case": number, "replaced_at": when, "recorded_by": recorded_by()})
    return case_of(db, number)


def case_of(db: Database, number: int) -> HardwareCase:
    """Return one case by its number. Raises InputError for one that is not there."""
    for case in cases(db):
        if case.id == number:
            return case
    raise InputError(f"hardware {number}: there is none; `monitor hardware list` shows them")


def open_cases(db: Database) -> tuple[HardwareCase, ...]:
    """Return the cases that are open, the one that is due first before the others."""
    return tuple(
        sorted((case for case in cases(db) if case.state is HardwareCaseState.OPEN), key=lambda case: case.due)
    )


def breached_cases(db: Database, known: Sequence[Terms], at: Millis, window: Span) -> tuple[HardwareCase, ...]:
    """Return the cases for which a credit is owed in a month, as the books stood at ``at``.

    See ``breach_counts_within``; a customer who still waits has the credit already.
    """
    return tuple(
        case
        for case in cases(db, at)
        if case.breached(at) and breach_counts_within(known, case.subscription, case.due, case.opened_at, window)
    )
