"""One outage, read out of the books: how long it was, and how much of that is excluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.model import Span
from monitor.sla.availability import excluded_of
from monitor.sla.timeline import Lengths, outage_lengths

if TYPE_CHECKING:
    from monitor.ledger.accounts.accounts import Books
    from monitor.model import Millis, Outage


def lengths(books: Books, outage: Outage) -> tuple[Lengths, Millis]:
    """Measure an outage: its lengths before exclusions, and the counted time that exclusions cover, in milliseconds.

    Not cut to any month. Exclusions limited to one subscription are not counted here: the outage is everybody's.
    """
    end = outage.end if outage.end is not None else books.at
    history = books.history(outage.check, Span(outage.start, max(end, outage.start + 1)))
    stood = next((each for each in history.outages if each.id == outage.id), outage)
    excluded = excluded_of(stood, history, books.exclusions, books.at)
    return outage_lengths(stood, history, books.at), excluded
