"""Explains one instant of a server: results, outages, windows, exclusions and the verdict for each subscription.

A subscription's verdict is its account of that one millisecond, computed by the same function as the account of its
month. So both agree, and an excluded instant is attributed to the same record in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from monitor.ledger.maintenance_windows import MAINTENANCE_EVENTS
from monitor.model import CheckKey, Outcome, Span
from monitor.sla import maintenance as rules
from monitor.sla.availability import compute_account
from monitor.sla.terms import PRODUCTS, segments, terms_at, terms_at_end
from monitor.sla.timeline import run_at
from monitor.store import journal, result_origin, results

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import LedgerView
    from monitor.ledger.exclusions import ExclusionRecord
    from monitor.model import Millis, Outage, Run
    from monitor.sla.availability import Account
    from monitor.sla.maintenance import AnnouncedPart, MaintenanceWindow
    from monitor.store.result_origin import ResultOrigin

InstantState: TypeAlias = Literal["up", "down", "excluded", "unknown"]
_STATES: dict[Outcome, Literal["up", "down", "unknown"]] = {
    Outcome.OK: "up",
    Outcome.FAIL: "down",
    Outcome.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class CheckAtInstant:
    """One check at an instant."""

    key: CheckKey
    state: Literal["up", "down", "unknown"]
    evidence: ResultOrigin | None
    """The result that holds at the instant; None if none does."""
    until: Millis | None
    """Until when it holds; None if no result holds."""
    last_result_at: Millis | None
    """If no result holds: the time of the last result before, if there is one."""
    outage: Outage | None
    """The outage that the instant lies in, from its first fail to the first ok after it."""


@dataclass(frozen=True, slots=True)
class WindowAtInstant:
    """A maintenance window that covers an instant, with the part and journal entry that cover it."""

    window: MaintenanceWindow
    part: AnnouncedPart
    recorded_by: str | None
    entry: int | None

    @property
    def clause(self) -> str:
        """The clause by which it excludes, if it excludes."""
        return rules.CLAUSE[self.window.kind]

    @property
    def excludes(self) -> bool:
        """Whether this part was announced in time."""
        return rules.qualifies(self.part, self.window.kind)

    @property
    def short_by(self) -> Millis:
        """By how many milliseconds its notice was too short."""
        return rules.notice_shortfall(self.part, self.window.kind)


@dataclass(frozen=True, slots=True)
class SubscriptionVerdict:
    """The verdict on an instant in the accounts of one subscription."""

    subscription: str
    customer: str
    product: str
    measured_checks: tuple[str, ...]
    """The checks that measure it; none on level 1."""
    verdict: InstantState
    clause: str | None
    """If it is excluded: the clause; ``reference`` is the record that it is attributed to."""
    reference: str | None


@dataclass(frozen=True, slots=True)
class InstantExplanation:
    """The explanation of one instant of a server."""

    server: str
    at: Millis
    checks: tuple[CheckAtInstant, ...]
    windows: tuple[WindowAtInstant, ...]
    exclusions: tuple[ExclusionRecord, ...]
    verdicts: tuple[SubscriptionVerdict, ...]


def checks_at(db: Database, ledger: LedgerView, server: str, at: Millis) -> list[str]:
    """Return the names of the checks that a server had at an instant, by the terms in force and by the records."""
    terms = terms_at(ledger.versions, at).servers.get(server)
    names = dict.fromkeys(check.name for check in terms.checks) if terms else {}
    names |= {key.name: None for key in sorted(results.check_ids(db)) if key.server == server}
    return list(names)


def explain(db: Database, ledger: LedgerView, server: str, at: Millis, checks: list[str]) -> InstantExplanation:
    """Explain an instant, which must be earlier than the moment of the ledger view."""
    span = Span(at, at + 1)
    return InstantExplanation(
        server=server,
        at=at,
        checks=tuple(_check_at(db, ledger, CheckKey(server, name), span) for name in checks),
        windows=tuple(_windows_at(db, ledger, server, at)),
        exclusions=tuple(_exclusions_at(ledger, server, at)),
        verdicts=tuple(_verdicts(ledger, server, span)),
    )


def _check_at(db: Database, ledger: LedgerView, key: CheckKey, span: Span) -> CheckAtInstant:
    history = ledger.history(key, span)
    run = run_at(history, span.start)
    outage = next((each for each in history.outages if _contains(each, span.start)), None)
    at = None if run is None else results.last_result_at(db, results.check_ids(db)[key], run.first, span.start)
    if run is None or at is None:
        return CheckAtInstant(key, "unknown", None, None, _last_before(history.runs, span.start), outage)
    until = result_origin.next_result_at(db, key, at, at + run.hold) or at + run.hold
    return CheckAtInstant(key, _STATES[run.outcome], result_origin.origin_of(db, key, at), until, None, outage)


def _contains(outage: Outage, at: Millis) -> bool:
    return outage.start <= at and (outage.end is None or at < outage.end)


def _last_before(runs: tuple[Run, ...], at: Millis) -> Millis | None:
    return max((run.last for run in runs if run.first <= at), default=None)


def _windows_at(db: Database, ledger: LedgerView, server: str, at: Millis) -> list[WindowAtInstant]:
    windows = []
    for window in ledger.windows:
        if not rules.is_active(window, server, at):
            continue
        part = next(part for part in window.parts if part.start <= at < part.end)
        entries = journal.entries(db, *MAINTENANCE_EVENTS, until=ledger.at)
        entry = next(
            (entry for entry in entries if entry.body["window"] == window.id and entry.at == part.recorded_at), None
        )
        windows.append(
            WindowAtInstant(window, part, entry.body["recorded_by"] if entry else None, entry.number if entry else None)
        )
    return windows


def _exclusions_at(ledger: LedgerView, server: str, at: Millis) -> list[ExclusionRecord]:
    return [
        record
        for record in ledger.exclusion_records
        if record.server == server and record.start <= at and (record.end is None or at < record.end)
    ]


def _verdicts(ledger: LedgerView, server: str, span: Span) -> list[SubscriptionVerdict]:
    names = sorted({name for terms in ledger.versions for name in terms.subscriptions})
    verdicts = []
    for name in names:
        parts = segments(ledger.versions, name, span, ledger.at)
        last = terms_at_end(ledger.versions, name, span, ledger.at)
        if last is None or not any(part.server == server for part in parts):
            continue
        terms, subscription = last
        histories = {
            CheckKey(part.server, check): ledger.history(CheckKey(part.server, check), part.span)
            for part in parts
            for check in part.checks
        }
        target = PRODUCTS[subscription.product].target
        account = compute_account(
            parts, histories, ledger.exclusions, rounding=terms.rounding, target=target, now=ledger.at
        )
        charge = account.exclusions[0] if account.exclusions else None
        verdicts.append(
            SubscriptionVerdict(
                subscription=name,
                customer=subscription.customer,
                product=subscription.product,
                measured_checks=parts[0].checks,
                verdict=_state_of(account),
                clause=charge.clause if charge else None,
                reference=charge.reference if charge else None,
            )
        )
    return verdicts


def _state_of(account: Account) -> InstantState:
    durations: dict[InstantState, Millis] = {
        "up": account.up,
        "down": account.down,
        "excluded": account.excluded,
        "unknown": account.unknown,
    }
    return next(state for state, duration in durations.items() if duration)
