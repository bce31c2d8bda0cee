"""What waits and when it is due, as ``monitor status`` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App, utc
from monitor.mail.text import counted

if TYPE_CHECKING:
    from monitor.ledger.support.deadlines import Promises, Waits

_KINDS = (
    ("hardware", "part waits", "parts wait", "for its replacement", "for their replacement", "12 hours (5.2.2)"),
    (
        "ticket",
        "ticket waits",
        "tickets wait",
        "for its first answer",
        "for their first answer",
        "its level allows (5.4.4)",
    ),
)


def document(promises: Promises) -> dict[str, Any]:
    """Give both kinds for programs."""
    return {"hardware": _counts(promises.hardware), "tickets": _counts(promises.tickets)}


def _counts(waits: Waits) -> dict[str, Any]:
    return {
        "open": len(waits.open),
        "due_soon": len(waits.due_soon),
        "overdue": len(waits.overdue),
        "next_due": utc(waits.next_due),
    }


def tell(app: App, promises: Promises) -> None:
    """Print what is overdue, and what will be soon; nothing where all is well."""
    for kind, waits in zip(_KINDS, (promises.hardware, promises.tickets), strict=True):
        name, one, several, for_one, for_several, limit = kind
        see = f"see `monitor {name} list`"
        for numbers, colour, when in (
            (waits.overdue, "red", f"longer than {limit}"),
            (waits.due_soon, "yellow", f"and is due soon, the next at {app.local(waits.next_due)}"),
        ):
            if numbers:
                who = counted(len(numbers), f"{one} {for_one}", f"{several} {for_several}")
                named = ", ".join(map(str, numbers))
                click.secho(f"{who} {when}: {named}; {see}.", fg=colour)
