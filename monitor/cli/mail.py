"""``monitor mail``: the outbox."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import RECORD_NUMBER, App, format_utc, json_option, print_json, print_table
from monitor.errors import InputError
from monitor.formatting import one_line
from monitor.ledger.recorded_by import recorded_by
from monitor.store import outbox

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.store.outbox import Mail, MailState


@click.group()
def mail() -> None:
    """List, show and resend mails, or send a test mail."""


@mail.command("list")
@click.option("--state", type=click.Choice(["pending", "sent", "dead"]), help="Only mails in this state.")
@json_option
@click.pass_obj
def listing(app: App, *, state: MailState | None, as_json: bool) -> None:
    """List mails, oldest first."""
    with app.open_for_reading() as db:
        mails = outbox.list_mails(db, state)
    if as_json:
        print_json({"mails": [_mail_json(each) for each in mails]})
        return
    print_table(
        ["id", "state", "to", "subject", "queued", "sent", "attempts", "last error"],
        (
            [
                each.id,
                _state_text(each),
                ", ".join(each.recipients),
                each.subject or "(digest still open)",
                app.format_time(each.queued_at),
                app.format_time(each.sent_at),
                each.attempts,
                each.error,
            ]
            for each in mails
        ),
        empty="no mails",
    )


@mail.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@json_option
@click.pass_obj
def show(app: App, *, number: int, as_json: bool) -> None:
    """Show a mail with its text."""
    with app.open_for_reading() as db:
        found = _require_mail(db, number)
    if as_json:
        print_json({**_mail_json(found), "text": found.text, "html": found.html})
        return
    click.echo(f"To: {', '.join(found.recipients)}")
    if found.copies:
        click.echo(f"Bcc: {', '.join(found.copies)}")
    click.echo(f"Subject: {found.subject}\nMessage-ID: {found.message_id}\nState: {found.state} {found.error}")
    for delivery in found.deliveries:
        when = f" {app.format_time(delivery.at)}" if delivery.at is not None else ""
        click.echo(f"Delivery: {delivery.address}: {delivery.state}{when} {delivery.reply}".rstrip())
    click.echo()
    click.echo(found.text)


@mail.command()
@click.argument("number", metavar="[ID]", type=RECORD_NUMBER, required=False)
@click.option("--dead", is_flag=True, help="Every dead mail, oldest first, without those that were withdrawn.")
@click.option("--since", metavar="T", help="With --dead: only mails that were queued at or after T.")
@json_option
@click.pass_obj
def resend(app: App, *, number: int | None, dead: bool, since: str | None, as_json: bool) -> None:
    """Queue a mail again: a dead mail for the recipients who did not get it, a sent mail for all. Prints its id.

    The running daemon sends it, under the same Message-ID. Mails about one subject leave in their old order.
    """
    if (number is None) != dead or (since is not None and not dead):
        raise InputError("give the ID of a mail, or --dead, with --since T if only later ones are meant")
    start = app.parse_time(since, "--since") if since is not None else None
    with app.open_for_writing() as db:
        found = [_require_mail(db, number)] if number is not None else outbox.dead_mails(db, since=start)
        for each in found:
            if each.sweep is not None:
                raise InputError(f"mail {each.id} is a digest that is still open; it is sent when its sweep ends")
            if each.error.startswith(outbox.WITHDRAWN):
                raise InputError(f"mail {each.id} was withdrawn, and is not sent again: {each.error}")
            outbox.requeue(db, each, app.now(db))
        found = [_require_mail(db, each.id) for each in found]
    _print_mails(found, as_json=as_json, several=number is None)


@mail.command()
@click.argument("number", metavar="[ID]", type=RECORD_NUMBER, required=False)
@click.option("--dead", is_flag=True, help="Every dead mail.")
@click.option("--reason", metavar="TEXT", required=True)
@json_option
@click.pass_obj
def withdraw(app: App, *, number: int | None, dead: bool, reason: str, as_json: bool) -> None:
    """Withdraw a dead mail: it stays recorded, and is no longer counted as undelivered. Prints its id."""
    if (number is None) != dead:
        raise InputError("give the ID of a mail, or --dead")
    if not reason.strip():
        raise InputError("--reason: must not be empty")
    with app.open_for_writing() as db:
        if number is not None:
            _require_mail(db, number)
        found = outbox.dead_mails(db, number)
        if number is not None and not found:
            raise InputError(f"mail {number} is not dead, or was withdrawn already")
        for each in found:
            outbox.withdraw(db, each.id, f"{one_line(reason)} ({recorded_by()}); {each.error}", app.now(db))
        found = [_require_mail(db, each.id) for each in found]
    _print_mails(found, as_json=as_json, several=number is None)


def _print_mails(mails: list[Mail], *, as_json: bool, several: bool) -> None:
    if as_json:
        shown = [_mail_json(each) for each in mails]
        print_json({"mails": shown} if several else shown[0])
        return
    for each in mails:
        click.echo(each.id)


@mail.command()
@click.argument("address")
@json_option
@click.pass_obj
def test(app: App, *, address: str, as_json: bool) -> int:
    """Send a test mail to ADDRESS now, as the daemon sends mail; exits with 1 if that fails."""
    # only this command needs these modules, and they cost start-up time
    from monitor.clock import SystemClock  # noqa: PLC0415
    from monitor.config.mail_transport import make_transport  # noqa: PLC0415
    from monitor.mail.compose import compose  # noqa: PLC0415
    from monitor.mail.content import TestMail  # noqa: PLC0415
    from monitor.mail.delivery.transport import TransportError  # noqa: PLC0415
    from monitor.mail.message import Message, new_message_id, normalize_address, sender_domain  # noqa: PLC0415

    to, now, email = normalize_address(address), SystemClock().now(), app.valid_config.email
    by_smtp = email.transport == "smtp"
    way = f"smtp {email.host}:{email.port} {email.security}" if by_smtp else f"file {app.config.data_dir / 'mail'}"
    reader = app.ledger_context(now).recipient(None)
    letter = compose(TestMail(reader, now, way))
    message = Message(
        sender=email.sender,
        to=(to,),
        bcc=(),
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        message_id=new_message_id(sender_domain(email.sender)),
        references=(),
        date=now,
        language=reader.language,
    )
    try:
        receipt = asyncio.run(make_transport(app.config, os.environ).send(message, (to,)))
        refused = {**receipt.refused_permanently, **receipt.refused_temporarily}
        said, accepted = refused.get(to, receipt.reply), to not in refused
    except TransportError as error:
        said, accepted = error.text, False
    if as_json:
        print_json({"to": [to], "message_id": message.message_id, "accepted": accepted, "reply": said})
    elif accepted:
        click.echo(f"accepted by {way}: {said}")
    else:
        click.echo(f"monitor: not accepted by {way}: {said}", err=True)
    return 0 if accepted else 1


def _require_mail(db: Database, number: int) -> Mail:
    found = outbox.get(db, number)
    if found is None:
        raise InputError(f"mail {number}: no such mail; `monitor mail list` shows them")
    return found


def _state_text(each: Mail) -> str:
    """Return a mail's state; a sent mail whose copy failed says so."""
    return "sent, copy failed" if each.state == "sent" and each.remaining else each.state


def _mail_json(each: Mail) -> dict[str, Any]:
    return {
        "id": each.id,
        "kind": each.kind,
        "customer": each.customer,
        "to": list(each.recipients),
        "bcc": list(each.copies),
        "subject": each.subject,
        "message_id": each.message_id,
        "references": list(each.refers),
        "state": each.state,
        "queued_at": format_utc(each.queued_at),
        "sent_at": format_utc(each.sent_at),
        "next_try": format_utc(each.next_try) if each.state == "pending" and each.sweep is None else None,
        "attempts": each.attempts,
        "error": each.error,
        "reply": each.reply,
        "deliveries": [
            {
                "address": delivery.address,
                "copy": delivery.copy,
                "state": delivery.state,
                "at": format_utc(delivery.at),
                "reply": delivery.reply,
            }
            for delivery in each.deliveries
        ],
    }
