"""Mail to the operators of what concerns the monitor itself; of a trouble that lasts, once, also across restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.ledger.notifications.mail_queue import post
from monitor.mail.content import OperatorLetter, OperatorNews
from monitor.mail.rendering.compose import compose
from monitor.store import daemon_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database

    from monitor.ledger.context import Context
    from monitor.model import Millis

_TOLD: Final = "told"
"""The note of the troubles that were told of and are not over: the lines that were told, by the kind of news."""


def tell_operators(
    db: Database,
    context: Context,
    news: OperatorNews,
    lines: tuple[str, ...],
    at: Millis,
    *,
    since: Millis | None = None,
    about: Mapping[str, int] | None = None,
) -> int | None:
    """Queue a mail to the operators of what concerns the monitor itself; None where there are no operators.

    ``at`` is now; ``since`` is the time that the letter names, where it is another. ``about`` is kept with the mail, by
    which it can be found again.
    """
    letter = compose(OperatorLetter(context.reader(None), news, at if since is None else since, lines))
    return post(db, context, "monitor", at=at, customer=None, body={"news": str(news), **(about or {})}, letter=letter)


def trouble(db: Database, context: Context, news: OperatorNews, lines: tuple[str, ...], at: Millis) -> None:
    """Tell of a trouble that lasts, unless it was told of in these very lines already and is not over since."""
    told = _told(db)
    if told.get(news) != list(lines):
        tell_operators(db, context, news, lines, at)
        daemon_state.put(db, _TOLD, told | {str(news): list(lines)})


def over(db: Database, news: OperatorNews) -> None:
    """Take note that a trouble is over: it will be told of when it comes again. Nobody gets a mail of that."""
    told = _told(db)
    if told.pop(news, None) is not None:
        daemon_state.put(db, _TOLD, told)


def _told(db: Database) -> dict[str, list[str]]:
    return daemon_state.get(db, _TOLD) or {}
