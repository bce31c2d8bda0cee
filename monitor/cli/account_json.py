"""The figures of an account as JSON shows them, and how people read what a correction changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.cli.app import human, seconds, utc
from monitor.ledger.figures import figures
from monitor.sla.percentages import percent_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.ledger.accounts.accounts import SubscriptionAccount
    from monitor.ledger.months.closing import Closing
    from monitor.ledger.months.corrections import Correction

_TIMES = ("start", "end")
_LENGTHS = ("up", "down", "excluded", "unknown")
_PERCENTS = ("availability", "lowest", "highest", "experienced", "coverage", "target")


def record(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """Give the figures of a subscription under their names outside."""
    return {"id": name} | {outside(field): shown(field, value) for field, value in found.items()}


def record_of(each: SubscriptionAccount) -> dict[str, Any]:
    """Give the account of a subscription as JSON shows it, with whether its terms reach back."""
    return record(each.subscription.id, figures(each)) | {"terms_from": utc(each.terms_from)}


def outside(field: str) -> str:
    """Name a figure as it is called outside, with its unit."""
    if field in _LENGTHS:
        return f"{field}_seconds"
    return f"{field}_percent" if field in _PERCENTS or field == "credit" else field


def shown(field: str, value: Any) -> Any:
    """Give a figure as JSON shows it."""
    if value is None:
        return None
    if field == "exclusions":
        return [
            {"clause": each["clause"], "seconds": seconds(each["length"]), "reference": each["reference"]}
            for each in value
        ]
    forms: dict[str, Callable[[Any], Any]] = {"credit": str}
    forms |= dict.fromkeys(_TIMES, utc) | dict.fromkeys(_LENGTHS, seconds) | dict.fromkeys(_PERCENTS, percent_text)
    return forms[field](value) if field in forms else value


def told(field: str, value: Any) -> str:
    """Give a figure as people read it."""
    if value is None:
        return "n/a"
    if field in _LENGTHS:
        return human(value)
    if field in _PERCENTS:
        return f"{percent_text(value)} %"
    if field == "exclusions":
        return ", ".join(f"{each['reference']} ({each['clause']}) {human(each['length'])}" for each in value) or "none"
    if field == "outages":
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(shown(field, value))


def closed_document(closing: Closing | None) -> dict[str, Any] | None:
    """Say when a month was closed, by whom, and with which terms."""
    if closing is None:
        return None
    return {
        "at": utc(closing.at),
        "entry": closing.entry,
        "recorded_by": closing.recorded_by,
        "terms_entry": closing.terms,
    }


def correction_document(correction: Correction, only: str | None) -> dict[str, Any]:
    """Say what a correction changed, when, by whom and why."""
    return {
        "at": utc(correction.at),
        "entry": correction.entry,
        "recorded_by": correction.recorded_by,
        "why": correction.why,
        "changes": [
            {
                "subscription": name,
                "field": outside(field),
                "before": shown(field, before),
                "after": shown(field, after),
            }
            for name, changed in correction.changes.items()
            if only in (None, name)
            for field, (before, after) in changed.items()
        ],
    }
