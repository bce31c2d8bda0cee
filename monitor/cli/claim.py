"""``monitor claim``: claims with their deadlines, answers, and what was said in them (6.1 to 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import NUMBER, App, json_option, print_json, print_table, seconds, utc
from monitor.formatting import deadline
from monitor.ledger.claims import answers
from monitor.ledger.claims import claims as books
from monitor.sla.claims import Refusal
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.claims import Claim

_INSTANTS = frozenset({"start", "end", "until", "at", "began", "opened_at", "deadline", "answer_due"})
_LENGTHS = frozenset({"up", "down", "excluded", "unknown", "counted", "least", "most", "length", "short_by"})
_WHY = {Refusal.LATE: "made too late (6.2)", Refusal.NOT_MEASURED: "the outage does not lower the availability"}


@click.group()
def claim() -> None:
    """Record customers' claims for credit, answer them, list or show them.

    A claim is made within 2 business days of the problem (6.2) and answered within 2 business days of the claim (6.3).
    """


@claim.command("open")
@click.option("--subscription", metavar="ID", required=True)
@click.option("--outage", metavar="ID", type=NUMBER, required=True)
@click.option("--at", metavar="T", help="When the customer's ticket came; else now.")
@json_option
@click.pass_obj
def open_(app: App, *, subscription: str, outage: int, at: str | None, as_json: bool) -> int:
    """Record a claim. Prints its id.

    A claim that came too late, or for an outage of a check that the subscription is not measured on, is kept and
    refused: the customer gets a mail that says why, and the exit status is 1.
    """
    opened_at = None if at is None else app.time(at, "--at")
    with app.writing() as db:
        now = app.now(db)
        context = app.context(now)
        found, why = books.open_claim(db, context, subscription, outage, opened_at, now)
        if why is not None:
            found = answers.refuse(db, context, found, why, now)
    _print(app, found, now, as_json=as_json)
    if why is None:
        return 0
    said = f"it had to be made until {_deadline(app, found.deadline)} (6.2)"
    if why is Refusal.NOT_MEASURED:
        said = f"the availability of {found.subscription} is not read on {found.check}"
    click.echo(f"monitor: claim {found.id} is refused: {said}", err=True)
    return 1


@claim.command()
@click.argument("number", metavar="ID", type=NUMBER)
@click.option("--note", metavar="TEXT", default="", help="What the letter says besides.")
@json_option
@click.pass_obj
def answer(app: App, *, number: int, note: str, as_json: bool) -> None:
    """Answer a claim: the customer gets a letter with every figure and its clause. Prints the claim's id.

    While the month is running the answer is provisional; the final one can be given when it is over.
    """
    with app.writing() as db:
        now = app.now(db)
        found = answers.answer(db, app.context(now), number, note, now)
    _print(app, found, now, as_json=as_json)


@claim.command("list")
@json_option
@click.pass_obj
def listing(app: App, *, as_json: bool) -> None:
    """List claims with their deadlines; an answer that is overdue is marked."""
    with app.reading() as db:
        now = app.now(db)
        found = books.claims(db, now)
    if as_json:
        print_json({"claims": [_record(each, now) for each in found]})
        return
    print_table(
        ["id", "state", "subscription", "outage", "made", "in time until", "in time", "answer due"],
        (
            [
                each.id,
                _state(each, now),
                each.subscription,
                f"{each.outage} ({each.check})",
                app.local(each.opened_at),
                _deadline(app, each.deadline),
                "yes" if each.in_time else "no",
                _deadline(app, each.answer_due),
            ]
            for each in found
        ),
        empty="no claims",
    )


@claim.command()
@click.argument("number", metavar="ID", type=NUMBER)
@json_option
@click.pass_obj
def show(app: App, *, number: int, as_json: bool) -> None:
    """Show a claim, and the letter that answered or refused it, as it was mailed."""
    with app.reading() as db:
        now = app.now(db)
        found = books.claim_of(db, number, now)
        letters = _letters(db, found)
    if as_json:
        print_json({**_record(found, now), "letters": [_letter(entry) for entry in letters]})
        return
    shown = {
        "claim": found.id,
        "state": _state(found, now),
        "subscription": found.subscription,
        "outage": f"{found.outage} ({found.check}), since {app.local(found.began)}",
        "made (6.1)": app.local(found.opened_at),
        "in time until (6.2)": f"{_deadline(app, found.deadline)}: {'in time' if found.in_time else 'too late'}",
        "answer due (6.3)": _deadline(app, found.answer_due),
        "recorded": f"{app.local(found.recorded_at)} by {found.recorded_by}",
    }
    print_table(["", ""], shown.items(), empty="")
    for entry in letters:
        said = entry.body["letter"]
        mail = "mailed to nobody" if said["mail"] is None else f"mail {said['mail']}"
        click.echo(f"\n--- {app.local(entry.at)}, by {entry.body['recorded_by']}, {mail}, entry {entry.number}")
        click.echo(f"Subject: {said['subject']}\n\n{said['text']}")


def _letters(db: Database, found: Claim) -> list[journal.Entry]:
    kinds = (books.REFUSED, books.ANSWERED)
    return [entry for entry in journal.entries(db, *kinds) if entry.body["claim"] == found.id]


def _print(app: App, found: Claim, now: Millis, *, as_json: bool) -> None:
    if not as_json:
        click.echo(found.id)
        return
    with app.reading() as db:
        letters = _letters(db, found)
    print_json({**_record(found, now), "letters": [_letter(entry) for entry in letters]})


def _deadline(app: App, at: Millis) -> str:
    return deadline(at, app.zone, "en")


def _state(each: Claim, now: Millis) -> str:
    if each.refused is not None:
        return f"refused: {_WHY[each.refused.why]}"
    if each.answers:
        return "answered" if each.final else "answered, provisionally"
    return "open, OVERDUE" if each.overdue(now) else "open"


def _record(each: Claim, now: Millis) -> dict[str, Any]:
    return {
        "id": each.id,
        "subscription": each.subscription,
        "outage": each.outage,
        "server": each.check.server,
        "check": each.check.name,
        "opened_at": utc(each.opened_at),
        "deadline": utc(each.deadline),
        "in_time": each.in_time,
        "answer_due": utc(each.answer_due),
        "state": str(each.state),
        "overdue": each.overdue(now),
        "refused_because": str(each.refused.why) if each.refused else None,
        "answered_at": utc(each.answers[-1].at) if each.answers else None,
        "final": each.final if each.answers else None,
        "recorded_at": utc(each.recorded_at),
        "recorded_by": each.recorded_by,
    }


def _letter(entry: journal.Entry) -> dict[str, Any]:
    body = entry.body
    return {
        "entry": entry.number,
        "at": utc(entry.at),
        "recorded_by": body["recorded_by"],
        **{key: body["letter"][key] for key in ("mail", "message_id", "language", "subject", "text")},
        "answer": _document(body.get("answer")),
    }


def _document(kept: Any) -> Any:
    """Write the figures of an answer as every command does: times in UTC, lengths in seconds."""
    if isinstance(kept, list):
        return [_document(each) for each in kept]
    if not isinstance(kept, dict):
        return kept
    written: dict[str, Any] = {}
    for key, value in kept.items():
        if key in _INSTANTS and (value is None or isinstance(value, int)):
            written[key] = utc(value)
        elif key in _LENGTHS:
            written[f"{key}_seconds"] = seconds(value)
        else:
            written[key] = _document(value)
    return written
