"""``monitor levels``: the support levels of clause 8.1, from the table that the program computes with."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import json_option, print_json, print_table
from monitor.sla.support_levels import SUPPORT_LEVELS, SUPPORT_TABLE

if TYPE_CHECKING:
    from monitor.sla.support_levels import SupportLevel, SupportValue


@click.command()
@json_option
def levels(*, as_json: bool) -> None:
    """Print what each support level includes (table 8.1 of the agreement)."""
    if as_json:
        print_json({"levels": [_level_json(level) for level in SUPPORT_LEVELS.values()]})
        return
    print_table(
        ["8.1", *(f"level {number}" for number in SUPPORT_LEVELS)],
        ([f"{row.en}, {row.unit}" if row.unit else row.en, *map(_format_cell, row.cells)] for row in SUPPORT_TABLE),
        empty="",
    )


def _level_json(level: SupportLevel) -> dict[str, Any]:
    """Return one level: the values that the program uses by name, and every row of the table by its key."""
    return {
        "level": level.level,
        "monitoring": level.monitoring,
        "services": level.services,
        "ticket_hours": level.ticket_hours,
        "email_hours": level.email_hours,
        "phone": level.phone,
        "fee": str(level.fee_usd),
        "currency": "USD",
        "reinstalls_per_year": level.reinstalls_per_year,
        "kvm_hours_per_month": level.kvm_hours_per_month,
        "rows": [
            {
                "key": row.key,
                "tr": row.tr,
                "en": row.en,
                "unit": row.unit,
                "value": _json_value(row.cells[level.level - 1]),
            }
            for row in SUPPORT_TABLE
        ],
    }


def _json_value(cell: SupportValue) -> Any:
    return str(cell) if isinstance(cell, Decimal) else cell


def _format_cell(cell: SupportValue) -> str:
    if cell is None or isinstance(cell, bool):
        return "yes" if cell else "-"
    return "free" if isinstance(cell, Decimal) and not cell else str(cell)
