"""Taking back what a wrong clock recorded: the results, runs, outages, mails and closings after the clock's time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.errors import InputError
from monitor.ledger.clock import MIN_BEHIND_MS, REJECTED, ClockDecision, read_clock_records
from monitor.ledger.outage_history import outage_body
from monitor.ledger.results.recording import close_batch
from monitor.model import Outcome
from monitor.outage import AlertState
from monitor.store import history, history_rebuild, journal, notification_log, outbox, rejected, results

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis, Outage


def reject_clock(db: Database, wall: Millis, by: str) -> ClockDecision:
    """Take back everything that was recorded after the time of the clock, which is right now.

    Results go to a table of their own; runs and outages end at the newest result that is left; mails to customers that
    have not left are withdrawn; months that were closed are open again. Facts that people recorded stay and count as
    recorded at ``wall``. Raises InputError where no record lies after the clock, or a claim is about an outage that
    would vanish.
    """
    records = read_clock_records(db)
    if records.newest is None or records.newest - wall <= MIN_BEHIND_MS:
        raise InputError(
            "no record lies after this machine's clock: there is nothing to reject. If the clock is wrong, set it"
            " first; then what was recorded after its time can be rejected"
        )
    outages = list(history.list_outages(db))
    vanishing = [outage for outage in outages if outage.start > wall]
    _require_no_claim(db, vanishing)
    for number, source, _ in results.open_batches(db):
        close_batch(db, number, source, results.batch_bounds(db, number), wall)
    months = sorted({entry.body["month"] for entry in journal.entries(db, "month-closed") if entry.at > wall})
    entry = journal.length(db) + 1
    changed = [outage for outage in outages if outage.start <= wall and _reaches_beyond(outage, wall)]
    body = {
        "after": wall,
        "newest": records.newest,
        "results": rejected.count_results_after(db, wall),
        "outages": [outage.id for outage in vanishing],
        "reopened": [outage.id for outage in changed if outage.end is not None],
        "months": months,
        "mails": outbox.pending_after(db, wall),
        "recorded_by": by,
    }
    journal.append(db, wall, REJECTED, body)
    outbox.withdraw_after(db, wall, f"the clock by which it was written was rejected (journal entry {entry})")
    checks = rejected.set_results_aside(db, wall, entry)
    rejected.cut_runs(db, wall)
    for outage in vanishing:
        rejected.remove_outage(db, outage.id)
        journal.append(db, wall, "outage-rejected", {"outage": outage.id, "entry": entry})
    for outage in changed:
        _cut_outage(db, outage, wall)
    _restore_alerting(db, checks, wall)
    return ClockDecision(entry, REJECTED, wall, body)


def _require_no_claim(db: Database, vanishing: list[Outage]) -> None:
    numbers = {outage.id for outage in vanishing}
    for entry in journal.entries(db, "claim-opened"):
        if entry.body["outage"] in numbers:
            raise InputError(
                f"claim {entry.body['claim']} is about outage {entry.body['outage']}, which was recorded after the"
                " clock's time: accept the clock instead, or restore a backup"
            )


def _reaches_beyond(outage: Outage, after: Millis) -> bool:
    return outage.last_fail > after or (outage.end is not None and outage.end > after)


def _cut_outage(db: Database, outage: Outage, after: Millis) -> None:
    """Open an outage again that ended later, and let it end its fails at the newest one that is left."""
    fails = (
        result.at
        for result in results.read(db, outage.check, outage.start, after + 1)
        if result.outcome is Outcome.FAIL
    )
    cut = replace(outage, end=None, last_fail=max(fails, default=outage.start))
    history_rebuild.update_outage(db, cut)
    journal.append(db, after, "outage-corrected", outage_body(cut, []))


def _restore_alerting(db: Database, checks: frozenset[int], after: Millis) -> None:
    """Let the alerting of each check be what it was before the rejected results, as far as it can be told."""
    for check, alerting in history.read_alerting(db).items():
        if check not in checks:
            continue
        outages = history.outages_touching(db, check, 0, after + 1)
        told = any(outage.end is None and notification_log.notified_customers(db, outage.id) for outage in outages)
        changes = [at for outage in outages for at in (outage.start, outage.end) if at is not None]
        flapping = alerting.flapping_since
        history.save_alerting(
            db,
            check,
            AlertState(
                notified=told,
                recent_starts=tuple(start for start in alerting.recent_starts if start <= after),
                flapping_since=flapping if flapping is not None and flapping <= after else None,
                last_change=max(changes, default=0),
            ),
        )
