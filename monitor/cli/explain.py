"""``monitor explain``: how an instant is counted, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App, format_duration, format_utc, json_option, print_json, print_table, to_seconds
from monitor.cli.exclude import exclusion_json as exclusion_document
from monitor.errors import InputError
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.accounts.explain import checks_at
from monitor.ledger.accounts.explain import explain as explain_instant

if TYPE_CHECKING:
    from monitor.ledger.accounts.explain import CheckAtInstant, InstantExplanation, SubscriptionVerdict, WindowAtInstant


@click.command()
@click.argument("server")
@click.option("--at", "at_text", metavar="T", required=True, help="The instant.")
@click.option("--check", metavar="NAME", help="Look at this check only.")
@json_option
@click.pass_obj
def explain(app: App, *, server: str, at_text: str, check: str | None, as_json: bool) -> None:
    """Show how an instant of a server is counted and why, by what is recorded now.

    Lists for each check the result that held then and the outage around it; the windows and exclusions that cover the
    instant, with who recorded them; and for each subscription how the instant counts, with the clause and the record.
    """
    at = app.parse_time(at_text, "--at")
    with app.open_for_reading() as db:
        now = app.now(db)
        if at >= now:
            raise InputError(f"--at {at_text}: lies in the future")
        ledger = LedgerView(db, now, app.config.terms(now))
        names = checks_at(db, ledger, server, at)
        if not names and not any(server in terms.servers for terms in ledger.versions):
            raise InputError(f"{server}: no such server in the configuration or the records")
        if check is not None and check not in names:
            has = f"it has {', '.join(names)}" if names else "it has none"
            raise InputError(f"--check {check}: server {server} has no such check; {has}")
        instant = explain_instant(db, ledger, server, at, names if check is None else [check])
    if as_json:
        print_json({"server": server, "at": format_utc(at), "as_of": format_utc(now), **_explanation_json(instant)})
    else:
        _print_explanation(app, instant)


def _explanation_json(instant: InstantExplanation) -> dict[str, Any]:
    return {
        "checks": [_check_json(each) for each in instant.checks],
        "windows": [_window_json(each) for each in instant.windows],
        "exclusions": [
            {"reference": record.reference, **exclusion_document(record), "entry": record.entry}
            for record in instant.exclusions
        ],
        "subscriptions": [_verdict_json(each) for each in instant.verdicts],
    }


def _check_json(check: CheckAtInstant) -> dict[str, Any]:
    outage, found = check.outage, check.evidence
    shown = None
    if found is not None:
        result = found.result
        shown = {
            "time": format_utc(result.at),
            "holds_until": format_utc(check.until),
            "outcome": result.outcome.name.lower(),
            "reason": result.reason,
            "attempts": result.attempts,
            "latency_seconds": None if result.latency is None else result.latency / 1_000_000,
            "source": found.source,
            "batch": found.batch,
            "batch_opened_at": format_utc(found.batch_opened_at),
            "entry": found.entry,
        }
    return {
        "name": check.key.name,
        "state": check.state,
        "result": shown,
        "last_result_at": format_utc(check.last_result_at),
        "outage": None
        if outage is None
        else {
            "id": outage.id,
            "start": format_utc(outage.start),
            "end": format_utc(outage.end),
            "reason": outage.reason,
        },
    }


def _window_json(window: WindowAtInstant) -> dict[str, Any]:
    return {
        "id": window.window.id,
        "reference": window.window.reference,
        "kind": window.window.kind,
        "clause": window.clause,
        "excludes": window.excludes,
        "short_by_seconds": to_seconds(window.short_by),
        "start": format_utc(window.part.start),
        "end": format_utc(window.part.end),
        "reason": window.window.reason,
        "announced_at": format_utc(window.part.announced_at),
        "recorded_at": format_utc(window.part.recorded_at),
        "recorded_by": window.recorded_by,
        "entry": window.entry,
    }


def _verdict_json(each: SubscriptionVerdict) -> dict[str, Any]:
    return {
        "id": each.subscription,
        "customer": each.customer,
        "product": each.product,
        "checks": list(each.measured_checks),
        "verdict": each.verdict,
        "clause": each.clause,
        "reference": each.reference,
    }


def _print_explanation(app: App, instant: InstantExplanation) -> None:
    click.echo(f"{instant.server} at {app.format_time(instant.at)}\n")
    print_table(
        ["check", "state", "evidence"],
        ([each.key.name, each.state, _format_evidence(app, each)] for each in instant.checks),
        empty="no check was measured",
    )
    covers = [_format_window(app, each) for each in instant.windows]
    for record in instant.exclusions:
        limits = [f"check {record.check}"] if record.check else []
        limits += [f"subscription {record.subscription}"] if record.subscription else []
        line = f"{record.reference} ({record.clause}): {record.reason}"
        line += f", for {' and '.join(limits)} only" if limits else ""
        line += (
            f"; recorded {app.format_time(record.recorded_at)} by {record.recorded_by}, journal entry {record.entry}"
        )
        if record.withdrawn:
            withdrawn = record.withdrawn
            line += f"; withdrawn {app.format_time(withdrawn.at)} by {withdrawn.by}: {withdrawn.reason}"
        covers.append(line)
    click.echo("\n" + ("\n".join(covers) or "no maintenance window or exclusion covers it") + "\n")
    print_table(
        ["subscription", "product", "measured by", "counts as", "clause", "record"],
        (
            [
                each.subscription,
                each.product,
                ", ".join(each.measured_checks),
                each.verdict,
                each.clause,
                each.reference,
            ]
            for each in instant.verdicts
        ),
        empty="no subscription was in force",
    )


def _format_evidence(app: App, check: CheckAtInstant) -> str:
    found = check.evidence
    if found is None:
        line = "no result holds"
        line += (
            f", the last result before is from {app.format_time(check.last_result_at)}"
            if check.last_result_at is not None
            else ""
        )
    else:
        result = found.result
        line = f"{result.outcome.name.lower()} at {app.format_time(result.at)}"
        line += f", {result.reason}" if result.reason else ""
        line += f", {result.attempts} attempts" if result.attempts != 1 else ""
        where = "its sweep is still running" if found.entry is None else f"journal entry {found.entry}"
        line += f"; {'imported' if found.source == 'import' else 'probed'}, batch {found.batch}, {where}"
    return (
        line
        if check.outage is None
        else f"{line}; in outage {check.outage.id} since {app.format_time(check.outage.start)}"
    )


def _format_window(app: App, window: WindowAtInstant) -> str:
    counts = (
        window.clause if window.excludes else f"excludes nothing: announced {format_duration(window.short_by)} too late"
    )
    return (
        f"{window.window.reference} ({counts}): {window.window.kind}, {window.window.reason};"
        f" recorded {app.format_time(window.part.recorded_at)} by {window.recorded_by}, journal entry {window.entry}"
    )
