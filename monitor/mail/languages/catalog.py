"""Every sentence of the letters, by language.

A field that one language lacks cannot be constructed; a test compares the ``{places}`` of the two. Sentences are
whole, because languages build them differently: Turkish would need another suffix for nearly every value, so its
values stand after a colon or in a case that needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.mail.content import OperatorNews
    from monitor.model import Reason, State


@dataclass(frozen=True, slots=True)
class OutageWords:
    """Falls and rises."""

    down: str
    up: str
    flapping: str
    settled: str
    down_title: str
    up_title: str
    mixed_title: str
    flapping_title: str
    settled_title: str
    greeting: str
    down_opening: str
    up_opening: str
    mixed_opening: str
    unsteady_opening: str
    down_closing: str
    servers: str
    """A count of servers, two or more."""
    one_behind: str
    """A fallen server and one that hangs on it, in a subject."""
    many_behind: str
    lasted: str
    """A server and the length of its outage, in a subject."""
    now: str
    """A server and its state, in a subject."""
    since: str
    seen: str
    start: str
    end: str
    length: str
    bounds: str
    excluded: str
    excluded_note: str
    flapping_note: str
    unsteady: str
    state: str
    states: Mapping[State, str]
    month: str
    standing: str
    nothing_measured: str
    met: str
    missed: str
    open: str
    claim: str
    claim_of: str
    """The same where several outages of one letter have a deadline."""
    claim_passed: str
    """The outage lasted longer than its deadline."""
    behind: str
    reasons: Mapping[Reason, str]
    """What the words of reasons mean in this language, all of them."""


@dataclass(frozen=True, slots=True)
class MaintenanceWords:
    """Windows announced and changed."""

    words: Mapping[tuple[str, str], str]
    """Change and kind to the subject's first words."""
    titles: Mapping[tuple[str, str], str]
    openings: Mapping[str, str]
    """By change."""
    card: str
    servers: str
    start: str
    end: str
    previous_end: str
    length: str
    reason: str
    reference: str
    qualifies: str
    too_late: str
    emergency: str
    added: str
    until: str
    after_end: str
    cancelled: str


class News(NamedTuple):
    """What one piece of news for the operators says."""

    word: str
    """The subject's first word."""
    title: str
    meaning: str
    """``{at}`` is since when, or when."""


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """News for operators, the month's report, and the test."""

    news: Mapping[OperatorNews, News]
    particulars: str
    report: str
    report_title: str
    report_opening: str
    subscriptions: str
    availability: str
    bounds: str
    none: str
    coverage: str
    target: str
    down: str
    excluded: str
    credit: str
    no_credit: str
    uncertain: str
    test: str
    test_title: str
    test_subject: str
    test_opening: str
    sent: str
    transport: str


@dataclass(frozen=True, slots=True)
class CertificateWords:
    """A certificate is about to expire."""

    word: str
    days_left: str
    expired: str
    title: str
    opening: str
    expired_title: str
    expired_opening: str
    expires: str
    left: str
    checks: str
    fingerprint: str
    more: str
    """``{count}`` certificates that the letter has no room for."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    outage: OutageWords
    maintenance: MaintenanceWords
    notice: NoticeWords
    claim: ClaimWords
    certificate: CertificateWords
    look: str
    zone: str
    automatic: str


# --- claims -----------------------------------------------------------------------------------------------------------


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
