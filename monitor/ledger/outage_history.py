"""The numbers by which facts go: which one is next, and which outage one meant at some moment.

Numbers stay, and an import may lengthen, join or split outages. Today's outages stand in their table. What they were
before an import is told by the journal alone: an outage that was joined into another lives on in that one, one that was
split keeps its number for its first part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.model import CheckKey
from monitor.store import journal, outages, results

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlite_utils import Database

    from monitor.model import Millis

_KINDS = ("outage-opened", "outage-ended", "outage-imported", "outage-corrected", "outage-joined")


@dataclass(frozen=True, slots=True)
class Extent:
    """An outage as it stood: its check, its first fail, and the first ok after it (None while there was none)."""

    id: int
    check: CheckKey
    start: Millis
    end: Millis | None


def next_number(taken: Iterable[int]) -> int:
    """Give the number of the next fact of a kind, after those that are taken; the first is 1."""
    return 1 + max(taken, default=0)


def told_until(db: Database, at: Millis) -> dict[int, Extent]:
    """Give every outage as the journal told of it until a moment, by its number; the slow road.

    A result of our own counts from its own time, one that was imported from its recording.
    """
    found: dict[int, Extent] = {}
    for entry in journal.entries(db, *_KINDS):
        body, number = entry.body, entry.body["outage"]
        if entry.kind == "outage-opened":
            if body["start"] <= at:
                found[number] = Extent(number, CheckKey(body["server"], body["check"]), body["start"], None)
        elif entry.kind == "outage-ended":
            if body["end"] <= at and number in found:
                found[number] = replace(found[number], end=body["end"])
        elif entry.at > at:
            continue
        elif entry.kind == "outage-joined":
            found.pop(number, None)
        else:
            found[number] = Extent(number, CheckKey(body["server"], body["check"]), body["start"], body["end"])
    return found


def extents(db: Database, wanted: Iterable[int], at: Millis, rewritten: Collection[int]) -> dict[int, Extent]:
    """Say what some numbers meant at a moment; a number that meant nothing is left out.

    ``rewritten`` are the numbers of the checks that an import has changed since: for these the journal is asked.
    """
    asked = set(wanted)
    if not asked:
        return {}
    joined = {entry.body["outage"]: entry.body["into"] for entry in journal.entries(db, "outage-joined", until=at)}
    found: dict[int, Extent] = {}
    told: dict[int, Extent] | None = None
    numbers = results.numbers(db)
    for number in asked:
        own = number
        while own in joined:
            own = joined[own]
        stored = outages.get(db, own)
        if stored is not None and numbers[stored.check] not in rewritten:
            end = stored.end if stored.end is not None and stored.end <= at else None
            found[number] = Extent(own, stored.check, stored.start, end)
            continue
        told = told_until(db, at) if told is None else told
        if own in told:
            found[number] = told[own]
    return found
