"""``monitor claim``: claims, their deadlines and their answers (6.1 to 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import RECORD_NUMBER, App, format_utc, json_option, print_json, print_table, to_seconds
from monitor.formatting import format_deadline
from monitor.ledger.claims import answers
from monitor.ledger.claims import claims as claim_ledger
from monitor.sla.claims import ClaimRefusalReason
from monitor.store import journal

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.claims import Claim

_TIME_KEYS = frozenset({"start", "end", "until", "at", "began", "opened_at", "deadline", "answer_due"})
_DURATION_KEYS = frozenset({"up", "down", "excluded", "unknown", "counted", "least", "most", "length", "short_by"})
_REFUSAL_TEXTS = {
    ClaimRefusalReason.LATE: "made too late (6.2)",
    ClaimRefusalReason.NOT_MEASURED: "the outage does not lower the availability",
}


@click.group()
def claim() -> None:
    """Record customers' claims for credit, answer them, list or show them.

    A claim must be made within 2 business days of the problem (6.2) and answered within 2 business days (6.3).
    """


@claim.command("open")
@click.option("--subscription", metavar="ID", required=True)
@click.option("--outage", metavar="ID", type=RECORD_NUMBER, required=True)
@click.option("--at", metavar="T", help="When the customer's ticket came; default: now.")
@json_option
@click.pass_obj
def open_(app: App, *, subscription: str, outage: int, at: str | None, as_json: bool) -> int:
    """Record a claim. Prints its id.

    A claim that is too late, or about an outage of a check that does not measure the subscription, is recorded and
    refused: the customer gets a mail with the reason, and the exit status is 1.
    """
    opened_at = None if at is None else app.parse_time(at, "--at")
    with app.open_for_writing() as db:
        now = app.now(db)
        context = app.ledger_context(now)
        found, why = claim_ledger.open_claim(db, context, subscription, outage, opened_at, now)
        if why is not None:
            found = answers.refuse(db, context, found, why, now)
    _print_claim(app, found, now, as_json=as_json)
    if why is None:
        return 0
    text = f"the deadline was {_format_deadline(app, found.deadline)} (6.2)"
    if why is ClaimRefusalReason.NOT_MEASURED:
        text = f"the availability of {found.subscription} is not measured by {found.check}"
    click.echo(f"monitor: claim {found.id} is refused: {text}", err=True)
    return 1


@claim.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@click.option("--note", metavar="TEXT", default="", help="A note to add to the mail.")
@json_option
@click.pass_obj
def answer(app: App, *, number: int, note: str, as_json: bool) -> None:
    """Answer a claim: mail the customer every figure with its clause. Prints the claim's id.

    An answer is provisional while the month is running; give the final answer when it is over.
    """
    with app.open_for_writing() as db:
        now = app.now(db)
        found = answers.answer(db, app.ledger_context(now), number, note, now)
    _print_claim(app, found, now, as_json=as_json)


@claim.command("list")
@json_option
@click.pass_obj
def listing(app: App, *, as_json: bool) -> None:
    """List claims with their deadlines. Overdue answers are marked."""
    with app.open_for_reading() as db:
        now = app.now(db)
        found = claim_ledger.claims(db, now)
    if as_json:
        print_json({"claims": [_claim_json(each, now) for each in found]})
        return
    print_table(
        ["id", "state", "subscription", "outage", "made", "deadline", "in time", "answer due"],
        (
            [
                each.id,
                _format_state(each, now),
                each.subscription,
                f"{each.outage} ({each.check})",
                app.format_time(each.opened_at),
                _format_deadline(app, each.deadline),
                "yes" if each.in_time else "no",
                _format_deadline(app, each.answer_due),
            ]
            for each in found
        ),
        empty="no claims",
    )


@claim.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@json_option
@click.pass_obj
def show(app: App, *, number: int, as_json: bool) -> None:
    """Show a claim and the mails that answered or refused it."""
    with app.open_for_reading() as db:
        now = app.now(db)
        found = claim_ledger.claim_of(db, number, now)
        letters = _answer_entries(db, found)
    if as_json:
        print_json({**_claim_json(found, now), "letters": [_answer_mail_json(entry) for entry in letters]})
        return
    shown = {
        "claim": found.id,
        "state": _format_state(found, now),
        "subscription": found.subscription,
        "outage": f"{found.outage} ({found.check}), since {app.format_time(found.outage_start)}",
        "made (6.1)": app.format_time(found.opened_at),
        "deadline (6.2)": f"{_format_deadline(app, found.deadline)}: {'in time' if found.in_time else 'too late'}",
        "answer due (6.3)": _format_deadline(app, found.answer_due),
        "recorded": f"{app.format_time(found.recorded_at)} by {found.recorded_by}",
    }
    print_table(["", ""], shown.items(), empty="")
    for entry in letters:
        letter = entry.body["letter"]
        mail = "not mailed" if letter["mail"] is None else f"mail {letter['mail']}"
        click.echo(f"\n--- {app.format_time(entry.at)}, by {entry.body['recorded_by']}, {mail}, entry {entry.number}")
        click.echo(f"Subject: {letter['subject']}\n\n{letter['text']}")


def _answer_entries(db: Database, found: Claim) -> list[journal.JournalEntry]:
    kinds = (claim_ledger.REFUSED, claim_ledger.ANSWERED)
    return [entry for entry in journal.entries(db, *kinds) if entry.body["claim"] == found.id]


def _print_claim(app: App, found: Claim, now: Millis, *, as_json: bool) -> None:
    if not as_json:
        click.echo(found.id)
        return
    with app.open_for_reading() as db:
        letters = _answer_entries(db, found)
    print_json({**_claim_json(found, now), "letters": [_answer_mail_json(entry) for entry in letters]})


def _format_deadline(app: App, at: Millis) -> str:
    return format_deadline(at, app.timezone)


def _format_state(each: Claim, now: Millis) -> str:
    if each.refused is not None:
        return f"refused: {_REFUSAL_TEXTS[each.refused.reason]}"
    if each.answers:
        return "answered" if each.final else "answered, provisionally"
    return "open, OVERDUE" if each.overdue(now) else "open"


def _claim_json(each: Claim, now: Millis) -> dict[str, Any]:
    return {
        "id": each.id,
        "subscription": each.subscription,
        "outage": each.outage,
        "server": each.check.server,
        "check": each.check.name,
        "opened_at": format_utc(each.opened_at),
        "deadline": format_utc(each.deadline),
        "in_time": each.in_time,
        "answer_due": format_utc(each.answer_due),
        "state": str(each.state),
        "overdue": each.overdue(now),
        "refused_because": str(each.refused.reason) if each.refused else None,
        "answered_at": format_utc(each.answers[-1].at) if each.answers else None,
        "final": each.final if each.answers else None,
        "recorded_at": format_utc(each.recorded_at),
        "recorded_by": each.recorded_by,
    }


def _answer_mail_json(entry: journal.JournalEntry) -> dict[str, Any]:
    body = entry.body
    return {
        "entry": entry.number,
        "at": format_utc(entry.at),
        "recorded_by": body["recorded_by"],
        **{key: body["letter"][key] for key in ("mail", "message_id", "language", "subject", "text")},
        "answer": _answer_json(body.get("answer")),
    }


def _answer_json(recorded: Any) -> Any:
    """Return the figures of an answer in the JSON form of all commands: times in UTC, durations in seconds."""
    if isinstance(recorded, list):
        return [_answer_json(each) for each in recorded]
    if not isinstance(recorded, dict):
        return recorded
    written: dict[str, Any] = {}
    for key, value in recorded.items():
        if key in _TIME_KEYS and (value is None or isinstance(value, int)):
            written[key] = format_utc(value)
        elif key in _DURATION_KEYS:
            written[f"{key}_seconds"] = to_seconds(value)
        else:
            written[key] = _answer_json(value)
    return written
