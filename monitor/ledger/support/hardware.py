"""Failed hardware and its replacement (5.2.1, 5.2.2, docs/contract.md#hardware): cases from journal facts."""

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
    """Return the cases that were recorded by ``at`` (by default all), in order of their numbers."""
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
    """Record that a part failed, at ``opened_at`` or by default now.

    Raises InputError if the product has no such guarantee or the subscription was not in force then.
    """
    failed_at = at if opened_at is None else opened_at
    if failed_at > at:
        raise InputError("--at: a part cannot have failed in the future")
    terms = require_terms(terms_versions(db, at, current), subscription, failed_at)
    product = terms.subscription.product
    if product != rules.HARDWARE_PRODUCT:
        raise InputError(
            f"--subscription {subscription}: its product is {product}, and {rules.NO_GUARANTEE_REASON[product]}"
        )
    number = next_number(case.id for case in cases(db))
    body = {
        "case": number,
        "subscription": subscription,
        "server": terms.subscription.server,
        "part": one_line(part),
        "opened_at": failed_at,
        "reference": one_line(reference) if reference is not None else None,
        "recorded_by": recorded_by(),
    }
    journal.append(db, at, OPENED, body)
    return case_of(db, number)


def record_replacement(db: Database, zone: str, number: int, replaced_at: Millis | None, at: Millis) -> HardwareCase:
    """Record that the part of a case was replaced, at ``replaced_at`` or by default now. Raises InputError."""
    case = case_of(db, number)
    replacement_at = at if replaced_at is None else replaced_at
    if case.replaced_at is not None:
        raise InputError(f"hardware {number} was replaced already, at {format_instant(case.replaced_at, zone)}")
    if replacement_at > at:
        raise InputError("--at: a part cannot have been replaced in the future")
    if replacement_at < case.opened_at:
        failed_text = format_instant(case.opened_at, zone)
        raise InputError(f"--at: a part cannot have been replaced before it failed, at {failed_text}")
    journal.append(db, at, REPLACED, {"case": number, "replaced_at": replacement_at, "recorded_by": recorded_by()})
    return case_of(db, number)


def case_of(db: Database, number: int) -> HardwareCase:
    """Return one case by its number. Raises InputError if there is no such case."""
    for case in cases(db):
        if case.id == number:
            return case
    raise InputError(f"hardware {number} does not exist; see `monitor hardware list`")


def open_cases(db: Database) -> tuple[HardwareCase, ...]:
    """Return the open cases in order of their deadlines."""
    return tuple(
        sorted((case for case in cases(db) if case.state is HardwareCaseState.OPEN), key=lambda case: case.due)
    )


def breached_cases(db: Database, versions: Sequence[Terms], at: Millis, window: Span) -> tuple[HardwareCase, ...]:
    """Return the cases that cause a credit in a month, as of ``at``.

    See ``breach_counts_within``; a case that is still open causes a credit as soon as it is overdue.
    """
    return tuple(
        case
        for case in cases(db, at)
        if case.breached(at) and breach_counts_within(versions, case.subscription, case.due, case.opened_at, window)
    )
