"""Figures of an account as JSON, and as the text that shows a correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.cli.app import format_duration, format_utc, to_seconds
from monitor.ledger.accounts.accounts import account_fields
from monitor.sla.availability import percent_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.ledger.accounts.accounts import SubscriptionAccount
    from monitor.ledger.months.closing import Closing
    from monitor.ledger.months.corrections import Correction

_TIME_FIELDS = ("start", "end")
_DURATION_FIELDS = ("up", "down", "excluded", "unknown")
_PERCENT_FIELDS = ("availability", "lowest", "highest", "experienced", "coverage", "target")


def figures_json(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a subscription by their JSON names."""
    return {"id": name} | {json_key(field): json_value(field, value) for field, value in fields.items()}


def account_json(each: SubscriptionAccount) -> dict[str, Any]:
    """Return the account of a subscription as JSON, with ``terms_from``."""
    return figures_json(each.subscription.id, account_fields(each)) | {"terms_from": format_utc(each.terms_from)}


def json_key(field: str) -> str:
    """Return the JSON name of a figure, with its unit."""
    if field in _DURATION_FIELDS:
        return f"{field}_seconds"
    return f"{field}_percent" if field in _PERCENT_FIELDS or field == "credit" else field


def json_value(field: str, value: Any) -> Any:
    """Return a figure as JSON."""
    if value is None:
        return None
    if field == "exclusions":
        return [
            {"clause": each["clause"], "seconds": to_seconds(each["length"]), "reference": each["reference"]}
            for each in value
        ]
    forms: dict[str, Callable[[Any], Any]] = {"credit": str}
    forms |= (
        dict.fromkeys(_TIME_FIELDS, format_utc)
        | dict.fromkeys(_DURATION_FIELDS, to_seconds)
        | dict.fromkeys(_PERCENT_FIELDS, percent_text)
    )
    return forms[field](value) if field in forms else value


def format_figure(field: str, value: Any) -> str:
    """Return a figure as text."""
    if value is None:
        return "n/a"
    if field in _DURATION_FIELDS:
        return format_duration(value)
    if field in _PERCENT_FIELDS:
        return f"{percent_text(value)} %"
    if field == "exclusions":
        return (
            ", ".join(f"{each['reference']} ({each['clause']}) {format_duration(each['length'])}" for each in value)
            or "none"
        )
    if field == "outages":
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(json_value(field, value))


def closing_json(closing: Closing | None) -> dict[str, Any] | None:
    """Return when a month was closed, by whom, and with which terms."""
    if closing is None:
        return None
    return {
        "at": format_utc(closing.at),
        "entry": closing.entry,
        "recorded_by": closing.recorded_by,
        "terms_entry": closing.terms_entry,
    }


def correction_json(correction: Correction, subscription: str | None) -> dict[str, Any]:
    """Return what a correction changed, when, by whom and why."""
    return {
        "at": format_utc(correction.at),
        "entry": correction.entry,
        "recorded_by": correction.recorded_by,
        "why": correction.reason,
        "changes": [
            {
                "subscription": name,
                "field": json_key(field),
                "before": json_value(field, before),
                "after": json_value(field, after),
            }
            for name, changed in correction.changes.items()
            if subscription in (None, name)
            for field, (before, after) in changed.items()
        ],
    }
