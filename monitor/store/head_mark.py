"""The newest entry of the journal, noted in a file beside the database.

A database that was replaced by an older copy, or that lost its write-ahead log, is consistent in itself: only a mark
outside of it tells. The mark is written after a commit, with an entry that is on the disk by then, so it never runs
ahead of an intact database, whenever the process is killed; a database that is ahead of its mark is in order.

To accept an older copy on purpose, delete the mark.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.ownership import make_file

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

MARK_FILE: Final = "journal-head.json"


class HeadMark(NamedTuple):
    """A journal entry that was recorded."""

    entry: int
    hash: str


def read(data_dir: Path) -> HeadMark | None:
    """Return the mark; None where there is none, or where it cannot be read."""
    try:
        body = json.loads((data_dir / MARK_FILE).read_text())
        return HeadMark(int(body["entry"]), str(body["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(data_dir: Path, mark: HeadMark) -> None:
    """Write the mark, all or nothing, and have it on the disk. Raises OSError."""
    path = data_dir / MARK_FILE
    new = path.with_name(f"{MARK_FILE}.new")
    make_file(new)
    with new.open("w") as file:
        file.write(json.dumps(mark._asdict()) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def find_loss(db: Database, mark: HeadMark | None) -> str | None:
    """Return what the database lacks of what the mark says was recorded; None where it lacks nothing."""
    if mark is None:
        return None
    row = db.execute("SELECT hash FROM journal WHERE number = ?", [mark.entry]).fetchone()
    if row is not None and row[0] == mark.hash:
        return None
    last = db.execute("SELECT coalesce(max(number), 0) FROM journal").fetchone()[0]
    if row is None:
        return (
            f"the journal ends at entry {last}, and entry {mark.entry} was recorded: this is an older copy of the"
            " database, or its write-ahead log is lost"
        )
    return f"journal entry {mark.entry} is not the one that was recorded: this is another database"
