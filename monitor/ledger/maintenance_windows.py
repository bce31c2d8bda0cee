"""Reads maintenance windows from the journal (4.1, 4.9); ``maintenance`` records them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.sla import maintenance as rules
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.maintenance import MaintenanceWindow

MAINTENANCE_EVENTS = ("maintenance-announced", "maintenance-extended", "maintenance-cancelled")


def known_windows(db: Database, at: Millis | None = None) -> tuple[MaintenanceWindow, ...]:
    """Return the windows that were recorded by ``at``, by default all."""
    events = [_maintenance_event(entry) for entry in journal.entries(db, *MAINTENANCE_EVENTS, until=at)]
    return rules.windows_from(events)


def _maintenance_event(entry: journal.JournalEntry) -> rules.MaintenanceEvent:
    body = entry.body
    if entry.kind == "maintenance-announced":
        return rules.MaintenanceAnnounced(
            id=body["window"],
            at=entry.at,
            servers=tuple(body["servers"]),
            kind="planned" if body["emergency"] is None else "emergency",
            reason=body["reason"] if body["emergency"] is None else f"{body['reason']} ({body['emergency']})",
            start=body["start"],
            end=body["end"],
            announced_at=body["announced_at"],
        )
    if entry.kind == "maintenance-extended":
        return rules.MaintenanceExtended(body["window"], entry.at, body["end"], body["announced_at"])
    return rules.MaintenanceCancelled(body["window"], entry.at)
