"""``monitor explain``: what an instant was, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App, human, json_option, print_json, print_table, seconds, utc
from monitor.cli.exclude import document as exclusion_document
from monitor.errors import InputError
from monitor.ledger.accounts.accounts import Books
from monitor.ledger.accounts.explain import checks_of
from monitor.ledger.accounts.explain import explain as ask

if TYPE_CHECKING:
    from monitor.ledger.accounts.explain import CheckThen, Instant, Verdict, WindowThen


@click.command()
@click.argument("server")
@click.option("--at", "at_text", metavar="T", required=True, help="The instant.")
@click.option("--check", metavar="NAME", help="Look at this check only.")
@json_option
@click.pass_obj
def explain(app: App, *, server: str, at_text: str, check: str | None, as_json: bool) -> None:
    """Say what an instant of a server was, and why, as the books stand now.

    For each check the result that held then and the outage that it lies in; the windows and exclusions that cover it,
    with who recorded them; and what follows for each subscription, with the clause and the record that it is charged
    to.
    """
    at = app.time(at_text, "--at")
    with app.reading() as db:
        now = app.now(db)
        if at >= now:
            raise InputError(f"--at {at_text}: lies in the future; nothing is known of it yet")
        books = Books(db, now, app.config.terms(now))
        names = checks_of(db, books, server, at)
        if not names and not any(server in terms.servers for terms in books.versions):
            raise InputError(f"{server}: no such server in the configuration or the records")
        if check is not None and check not in names:
            has = f"it has {', '.join(names)}" if names else "it has none"
            raise InputError(f"--check {check}: server {server} has no such check; {has}")
        instant = ask(db, books, server, at, names if check is None else [check])
    if as_json:
        print_json({"server": server, "at": utc(at), "as_of": utc(now), **_document(instant)})
    else:
        _tables(app, instant)


def _document(instant: Instant) -> dict[str, Any]:
    return {
        "checks": [_check(each) for each in instant.checks],
        "windows": [_window(each) for each in instant.windows],
        "exclusions": [
            {"reference": record.reference, **exclusion_document(record), "entry": record.entry}
            for record in instant.exclusions
        ],
        "subscriptions": [_verdict(each) for each in instant.verdicts],
    }


def _check(then: CheckThen) -> dict[str, Any]:
    outage, found = then.outage, then.evidence
    shown = None
    if found is not None:
        result = found.result
        shown = {
            "time": utc(result.at),
            "holds_until": utc(then.until),
            "outcome": result.outcome.name.lower(),
            "reason": result.reason,
            "attempts": result.attempts,
            "latency_seconds": None if result.latency is None else result.latency / 1_000_000,
            "source": found.source,
            "batch": found.batch,
            "batch_opened_at": utc(found.opened),
            "entry": found.entry,
        }
    return {
        "name": then.key.name,
        "state": then.state,
        "result": shown,
        "last_result_at": utc(then.before),
        "outage": None
        if outage is None
        else {"id": outage.id, "start": utc(outage.start), "end": utc(outage.end), "reason": outage.reason},
    }


def _window(then: WindowThen) -> dict[str, Any]:
    return {
        "id": then.window.id,
        "reference": then.window.reference,
        "kind": then.window.kind,
        "clause": then.clause,
        "excludes": then.excludes,
        "short_by_seconds": seconds(then.short_by),
        "start": utc(then.part.start),
        "end": utc(then.part.end),
        "reason": then.window.reason,
        "announced_at": utc(then.part.announced_at),
        "recorded_at": utc(then.part.recorded_at),
        "recorded_by": then.recorded_by,
        "entry": then.entry,
    }


def _verdict(each: Verdict) -> dict[str, Any]:
    return {
        "id": each.subscription,
        "customer": each.customer,
        "product": each.product,
        "checks": list(each.measured),
        "verdict": each.verdict,
        "clause": each.clause,
        "reference": each.reference,
    }


def _tables(app: App, instant: Instant) -> None:
    click.echo(f"{instant.server} at {app.local(instant.at)}\n")
    print_table(
        ["check", "was", "because of"],
        ([each.key.name, each.state, _because(app, each)] for each in instant.checks),
        empty="no check was measured",
    )
    covers = [_window_line(app, each) for each in instant.windows]
    for record in instant.exclusions:
        limits = [f"check {record.check}"] if record.check else []
        limits += [f"subscription {record.subscription}"] if record.subscription else []
        line = f"{record.reference} ({record.clause}): {record.reason}"
        line += f", for {' and '.join(limits)} only" if limits else ""
        line += f"; recorded {app.local(record.recorded_at)} by {record.recorded_by}, journal entry {record.entry}"
        if record.withdrawn:
            line += f"; withdrawn {app.local(record.withdrawn.at)} by {record.withdrawn.by}: {record.withdrawn.reason}"
        covers.append(line)
    click.echo("\n" + ("\n".join(covers) or "no maintenance window and no exclusion covers it") + "\n")
    print_table(
        ["subscription", "product", "read on", "counts as", "clause", "charged to"],
        (
            [each.subscription, each.product, ", ".join(each.measured), each.verdict, each.clause, each.reference]
            for each in instant.verdicts
        ),
        empty="no subscription counted then",
    )


def _because(app: App, then: CheckThen) -> str:
    found = then.evidence
    if found is None:
        line = "no result holds"
        line += f", the last one before was at {app.local(then.before)}" if then.before is not None else ""
    else:
        result = found.result
        line = f"{result.outcome.name.lower()} at {app.local(result.at)}"
        line += f", {result.reason}" if result.reason else ""
        line += f", {result.attempts} attempts" if result.attempts != 1 else ""
        where = "its sweep is not over" if found.entry is None else f"journal entry {found.entry}"
        line += f"; {'imported' if found.source == 'import' else 'probed'}, batch {found.batch}, {where}"
    return line if then.outage is None else f"{line}; in outage {then.outage.id} since {app.local(then.outage.start)}"


def _window_line(app: App, then: WindowThen) -> str:
    counts = then.clause if then.excludes else f"excludes nothing: announced {human(then.short_by)} too late"
    return (
        f"{then.window.reference} ({counts}): {then.window.kind}, {then.window.reason};"
        f" recorded {app.local(then.part.recorded_at)} by {then.recorded_by}, journal entry {then.entry}"
    )
