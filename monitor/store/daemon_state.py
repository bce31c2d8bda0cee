"""Notes of the daemon about itself, for other processes: whether it runs, and its current problems."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlite_utils import Database

RAISED_PROBLEMS: Final = "told"
"""The key of the problems that the operators were told and that are not over: the mailed lines, by the kind of news."""

CLOCK_PROBLEM: Final = "clock"
MAIL_PROBLEM: Final = "mail"
"""Problems by the names under which the daemon shows them, that commands find out by themselves too."""


def put(db: Database, key: str, body: object) -> None:
    """Write a note; replace the previous one."""
    db.execute("INSERT OR REPLACE INTO note (key, body) VALUES (?, ?)", [key, json.dumps(body, ensure_ascii=False)])


def get(db: Database, key: str) -> Any:
    """Return a note; None if there is none."""
    row = db.execute("SELECT body FROM note WHERE key = ?", [key]).fetchone()
    return json.loads(row[0]) if row else None
