"""What one instant of a server was, and why: results, outages, windows, exclusions, and what follows for whom.

A subscription's verdict is its account of that one millisecond, by the same function as the account of its month: so
the two cannot disagree, and the record that an excluded instant is charged to is the one that the month charges.
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
    """The result that holds; None where none does."""
    until: Millis | None
    """To when it holds; None where none does."""
    last_result_at: Millis | None
    """Where none holds: the time of the last result before, if there is one."""
    outage: Outage | None
    """The outage that the instant lies in, from its first fail to the first ok after it."""


@dataclass(frozen=True, slots=True)
class WindowAtInstant:
    """A maintenance window that covers an instant, with the fact that made this part of it."""

    window: MaintenanceWindow
    part: AnnouncedPart
    recorded_by: str | None
    entry: int | None

    @property
    def clause(self) -> str:
        """What it counts as, where it excludes."""
        return rules.CLAUSE[self.window.kind]

    @property
    def excludes(self) -> bool:
        """Whether this part was announced in time."""
        return rules.qualifies(self.part, self.window.kind)

    @property
    def short_by(self) -> Millis:
        """How much notice it lacked, in milliseconds."""
        return rules.notice_shortfall(self.part, self.window.kind)


@dataclass(frozen=True, slots=True)
class SubscriptionVerdict:
    """What an instant is in the accounts of one subscription."""

    subscription: str
    customer: str
    product: str
    measured_checks: tuple[str, ...]
    """The checks that it is read on; none on level 1."""
    verdict: InstantState
    clause: str | None
    """Where it is excluded: the clause, and the record that it is charged to."""
    reference: str | None


@dataclass(frozen=True, slots=True)
class InstantExplanation:
    """Everything about one instant of a server."""

    server: str
    at: Millis
    checks: tuple[CheckAtInstant, ...]
    windows: tuple[WindowAtInstant, ...]
    exclusions: tuple[ExclusionRecord, ...]
    verdicts: tuple[SubscriptionVerdict, ...]


def checks_at(db: Database, ledger: LedgerView, server: str, at: Millis) -> list[str]:
    """Name the checks that a server had then, by the terms in force and by the records."""
    terms = terms_at(ledger.versions, at).servers.get(server)
    names = dict.fromkeys(check.name for check in terms.checks) if terms else {}
    names |= {key.name: None for key in sorted(results.check_ids(db)) if key.server == server}
    return list(names)


def explain(db: Database, ledger: LedgerView, server: str, at: Millis, checks: list[str]) -> InstantExplanation:
    """Explain an instant, which lies before the moment that the books are read at."""
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
    found = []
    for window in ledger.windows:
        if not rules.is_active(window, server, at):
            continue
        part = next(part for part in window.parts if part.start <= at < part.end)
        facts = journal.entries(db, *MAINTENANCE_EVENTS, until=ledger.at)
        fact = next((one for one in facts if one.body["window"] == window.id and one.at == part.recorded_at), None)
        found.append(
            WindowAtInstant(window, part, fact.body["recorded_by"] if fact else None, fact.number if fact else None)
        )
    return found


def _exclusions_at(ledger: LedgerView, server: str, at: Millis) -> list[ExclusionRecord]:
    return [
        record
        for record in ledger.exclusion_records
        if record.server == server and record.start <= at and (record.end is None or at < record.end)
    ]


def _verdicts(ledger: LedgerView, server: str, span: Span) -> list[SubscriptionVerdict]:
    names = sorted({name for terms in ledger.versions for name in terms.subscriptions})
    found = []
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
        came_to = compute_account(
            parts, histories, ledger.exclusions, rounding=terms.rounding, target=target, now=ledger.at
        )
        charge = came_to.exclusions[0] if came_to.exclusions else None
        found.append(
            SubscriptionVerdict(
                subscription=name,
                customer=subscription.customer,
                product=subscription.product,
                measured_checks=parts[0].checks,
                verdict=_state_of(came_to),
                clause=charge.clause if charge else None,
                reference=charge.reference if charge else None,
            )
        )
    return found


def _state_of(came_to: Account) -> InstantState:
    lengths: dict[InstantState, Millis] = {
        "up": came_to.up,
        "down": came_to.down,
        "excluded": came_to.excluded,
        "unknown": came_to.unknown,
    }
    return next(kind for kind, length in lengths.items() if length)
