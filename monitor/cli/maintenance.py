"""``monitor maintenance``: announce, extend, cancel and list windows (4.1, 4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import (
    RECORD_NUMBER,
    App,
    format_duration,
    format_utc,
    json_option,
    print_json,
    print_table,
    to_seconds,
)
from monitor.errors import InputError
from monitor.ledger import maintenance as maintenance_ledger
from monitor.ledger.maintenance import ExternalAnnouncement, MaintenanceRequest
from monitor.ledger.maintenance_windows import known_windows
from monitor.ledger.months import retroactive
from monitor.sla.maintenance import notice_shortfall, qualifies, state_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis
    from monitor.sla.maintenance import MaintenanceWindow


@click.group()
def maintenance() -> None:
    """Announce, extend, cancel and list maintenance windows.

    Planned maintenance is excluded from the accounts only if it is announced at least 96 hours before its start (4.9).
    """


def _external_announcement_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--reference", metavar="TEXT", help="Where that announcement is found.")(command)
    return click.option("--announced-at", metavar="T", help="When the window was announced outside of this program.")(
        command
    )


@maintenance.command()
@click.option("--server", "servers", metavar="ID", multiple=True, required=True, help="Repeat for several.")
@click.option("--start", metavar="T", required=True)
@click.option("--end", metavar="T", required=True)
@click.option("--reason", metavar="TEXT", required=True)
@click.option("--emergency", metavar="WHY", help="Why the work is urgent: an emergency needs no notice (4.9).")
@_external_announcement_options
@json_option
@click.pass_obj
def announce(
    app: App,
    *,
    servers: tuple[str, ...],
    start: str,
    end: str,
    reason: str,
    emergency: str | None,
    announced_at: str | None,
    reference: str | None,
    as_json: bool,
) -> None:
    """Announce a window and mail its customers. Prints the window's id.

    A window that is announced too late is recorded and mailed, with a warning: it excludes nothing.
    """
    for option, text in (("--reason", reason), ("--emergency", emergency)):
        if text is not None and not text.strip():
            raise InputError(f"{option}: must not be empty")
    span = app.parse_time(start, "--start"), app.parse_time(end, "--end")
    announcement = _external_announcement(app, announced_at, reference)
    request = MaintenanceRequest(tuple(dict.fromkeys(servers)), *span, reason, emergency, announcement)
    _change_window(app, lambda db, context, at: retroactive.announce(db, context, request, at), as_json=as_json)


@maintenance.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@click.option("--end", metavar="T", required=True, help="The new end; an earlier end shortens the window.")
@_external_announcement_options
@json_option
@click.pass_obj
def extend(app: App, *, number: int, end: str, announced_at: str | None, reference: str | None, as_json: bool) -> None:
    """Change the end of a window and mail its customers.

    The added time is a new announcement and needs its own 96 hours. A window that is over can be extended too.
    """
    until, announcement = app.parse_time(end, "--end"), _external_announcement(app, announced_at, reference)
    _change_window(
        app, lambda db, context, at: retroactive.extend(db, context, number, until, announcement, at), as_json=as_json
    )


@maintenance.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@json_option
@click.pass_obj
def cancel(app: App, *, number: int, as_json: bool) -> None:
    """Cancel a window and mail its customers. A window that has begun ends now."""
    _change_window(
        app, lambda db, context, at: maintenance_ledger.cancel(db, context, number, at), as_json=as_json, warn=False
    )


@maintenance.command("list")
@json_option
@click.pass_obj
def listing(app: App, *, as_json: bool) -> None:
    """List windows with their parts and whether each part was announced in time."""
    with app.open_for_reading() as db:
        now, windows = app.now(db), known_windows(db)
    if as_json:
        print_json({"windows": [_window_json(window, now) for window in windows]})
        return
    print_table(
        ["id", "state", "kind", "servers", "start", "end", "announced", "in time", "reason"],
        (
            [
                window.id,
                state_at(window, now),
                window.kind,
                ", ".join(window.servers),
                app.format_time(window.start),
                app.format_time(window.end),
                app.format_time(window.announced_at),
                "yes" if window.qualifies else f"no, {format_duration(window.notice_shortfall)} short",
                window.reason,
            ]
            for window in windows
        ),
        empty="no maintenance windows",
    )


def _external_announcement(app: App, announced_at: str | None, reference: str | None) -> ExternalAnnouncement | None:
    if announced_at is None and reference is None:
        return None
    if announced_at is None or reference is None or not reference.strip():
        raise InputError("--announced-at and --reference must be given together: when and where it was announced")
    return ExternalAnnouncement(app.parse_time(announced_at, "--announced-at"), reference)


def _change_window(
    app: App,
    change: Callable[[Database, LedgerContext, Millis], MaintenanceWindow],
    *,
    as_json: bool,
    warn: bool = True,
) -> None:
    with app.open_for_writing() as db:
        at = app.now(db)
        window = change(db, app.ledger_context(at), at)
    if warn and not window.qualifies:
        late = "; ".join(
            f"the part from {app.format_time(part.start)} to {app.format_time(part.end)} was announced"
            f" {format_duration(notice_shortfall(part, window.kind))} too late and excludes nothing"
            for part in window.parts
            if not qualifies(part, window.kind)
        )
        click.echo(f"monitor: warning: {late} (4.9: 4 days before)", err=True)
    if as_json:
        print_json(_window_json(window, at))
    else:
        click.echo(window.id)


def _window_json(window: MaintenanceWindow, now: Millis) -> dict[str, Any]:
    return {
        "id": window.id,
        "servers": list(window.servers),
        "start": format_utc(window.start),
        "end": format_utc(window.end),
        "announced_at": format_utc(window.announced_at),
        "recorded_at": format_utc(window.recorded_at),
        "kind": window.kind,
        "reason": window.reason,
        "qualifies": window.qualifies,
        "short_by_seconds": to_seconds(window.notice_shortfall),
        "state": str(state_at(window, now)),
        "parts": [
            {
                "start": format_utc(part.start),
                "end": format_utc(part.end),
                "announced_at": format_utc(part.announced_at),
                "qualifies": qualifies(part, window.kind),
                "short_by_seconds": to_seconds(notice_shortfall(part, window.kind)),
            }
            for part in window.parts
        ],
    }
