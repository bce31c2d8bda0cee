"""The sentences of the letters about claims, by language; see words.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ClaimWords:
    """Claims refused and answered."""

    granted: str
    """Subjects and titles: credit or none, for good or so far."""
    granted_so_far: str
    denied: str
    denied_so_far: str
    refused: str
    granted_title: str
    granted_so_far_title: str
    denied_title: str
    denied_so_far_title: str
    refused_title: str
    examined: str
    credited: str
    would_be_credited: str
    target_met: str
    unpaid: str
    not_measured: str
    provisional: str
    uncertain: str
    note: str
    claim: str
    subscription: str
    made: str
    in_time: str
    late: str
    outage: str
    began: str
    due: str
    so_far: str
    availability: str
    bounds: str
    none: str
    experienced: str
    nothing_taken_out: str
    coverage: str
    target: str
    down: str
    excluded: str
    unknown: str
    band: str
    band_between: str
    band_to: str
    band_from: str
    fee: str
    fee_divided: str
    credit: str
    no_fee: str
    by_invoice: str
    certain: str
    yes: str
    no: str
    readings: str
    credited_in: str
    closed: str
    corrected: str
    outages: str
    outage_word: str
    claimed: str
    still_open: str
    no_outages: str
    more_outages: str
    whole: str
    excluded_card: str
    nothing_excluded: str
    too_late: str
    references: Mapping[str, str]
    decisions_card: str
    decisions: Mapping[str, str]
    """By setting, or by setting and value where the value is a word: ``rounding=down``."""
    records: str
    entry: str
    hash: str
    as_of: str
    evidence: str
    future_invoices: str
    refused_late: str
    refused_not_measured: str
    refused_closing: str
