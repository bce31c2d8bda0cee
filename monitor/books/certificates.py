"""Certificates that are about to expire: who is told, once for each of the days that a check names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.books.post import post
from monitor.mail.certificates import CertificateLetter
from monitor.mail.compose import compose
from monitor.store import outbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from monitor.books.context import Context
    from monitor.model import CheckKey, Millis

_DAY: Millis = 86_400_000
KIND = "certificate"


def days_left(expiry: int, at: Millis) -> int:
    """Give the whole days from ``at`` to an expiry in Unix seconds; negative once it is over."""
    return (expiry * 1000 - at) // _DAY


def step_reached(expiry: int, warn_days: Iterable[int], at: Millis) -> int | None:
    """Give the last of the days to be warned on that has been reached; None while none has."""
    left = days_left(expiry, at)
    return min((days for days in warn_days if left <= days), default=None)


def warn_once(db: Database, context: Context, key: CheckKey, expiry: int, step: int, at: Millis) -> int:
    """Queue the mails that tell of a certificate, unless they told of that step or a later one; gives how many.

    Everybody is told who is told of the check's outages; the operators get a copy. ``expiry`` is in Unix seconds.
    """
    told = outbox.certificate_told(db, key, expiry)
    if told is not None and told <= step:
        return 0
    queued = 0
    for customer in context.told_of_check(key, at):
        letter = compose(
            CertificateLetter(context.reader(customer), key.server, key.name, expiry * 1000, days_left(expiry, at))
        )
        body = {"server": key.server, "check": key.name, "expiry": expiry, "days": step}
        queued += post(db, context, KIND, at=at, customer=customer, body=body, letter=letter) is not None
    return queued
