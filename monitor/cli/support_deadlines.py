"""Open hardware cases and tickets with their deadlines, as ``monitor status`` shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App, format_utc
from monitor.formatting import pluralize

if TYPE_CHECKING:
    from monitor.ledger.support.deadlines import PendingDeadlines, SupportDeadlines

_WORDINGS = (
    ("hardware", "part waits", "parts wait", "for its replacement", "for their replacement", "12 hours (5.2.2)"),
    (
        "ticket",
        "ticket waits",
        "tickets wait",
        "for its first response",
        "for their first response",
        "its level allows (5.4.4)",
    ),
)


def deadlines_json(deadlines: SupportDeadlines) -> dict[str, Any]:
    """Return both kinds as JSON."""
    return {"hardware": _counts_json(deadlines.hardware), "tickets": _counts_json(deadlines.tickets)}


def _counts_json(pending: PendingDeadlines) -> dict[str, Any]:
    return {
        "open": len(pending.open),
        "due_soon": len(pending.due_soon),
        "overdue": len(pending.overdue),
        "next_due": format_utc(pending.next_due),
    }


def print_deadlines(app: App, deadlines: SupportDeadlines) -> None:
    """Print a line for what is overdue and one for what is due soon, if there is any."""
    for kind, pending in zip(_WORDINGS, (deadlines.hardware, deadlines.tickets), strict=True):
        name, one, several, for_one, for_several, limit = kind
        see = f"see `monitor {name} list`"
        for numbers, colour, when in (
            (pending.overdue, "red", f"longer than {limit}"),
            (pending.due_soon, "yellow", f"and is due soon, the next at {app.format_time(pending.next_due)}"),
        ):
            if numbers:
                who = pluralize(len(numbers), f"{one} {for_one}", f"{several} {for_several}")
                ids = ", ".join(map(str, numbers))
                click.secho(f"{who} {when}: {ids}; {see}.", fg=colour)
