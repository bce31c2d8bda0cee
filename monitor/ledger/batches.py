"""Batches of results: each has one entry of the journal with its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.store import journal, results

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.model import Millis


def close_batch(db: Database, batch: int, source: str, within: tuple[Millis, Millis] | None, at: Millis) -> None:
    """Put the digest of a batch into the journal; a batch in which nothing came is forgotten."""
    digest = results.digest(db, batch, within) if within else None
    if digest is None:
        results.drop_batch(db, batch)
        return
    body = {
        "batch": batch,
        "source": source,
        "count": digest.count,
        "first": digest.first,
        "last": digest.last,
        "sha256": digest.sha256,
    }
    results.close_batch(db, batch, journal.append(db, at, "results", body))
