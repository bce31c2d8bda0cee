"""Mails the operators about the monitor itself; a lasting problem is mailed once, also across restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.ledger.notifications.mail_queue import queue_mail
from monitor.mail.compose import compose
from monitor.mail.content import OperatorMail, OperatorNews
from monitor.store import daemon_state, journal
from monitor.store.mail_facts import lines_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database

    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis


def notify_operators(
    db: Database,
    context: LedgerContext,
    news: OperatorNews,
    lines: tuple[str, ...],
    at: Millis,
    *,
    since: Millis | None = None,
    extra: Mapping[str, int] | None = None,
) -> int | None:
    """Queue a mail to the operators about the monitor itself; return its id, None if there are no operators.

    ``at`` is the present time; ``since`` is the time that the mail names, if that is another. ``extra`` is stored with
    the mail, to find it again.
    """
    mail = compose(OperatorMail(context.recipient(None), news, at if since is None else since, lines))
    return queue_mail(
        db, context, "monitor", at=at, customer=None, body={"news": str(news), **(extra or {})}, rendered=mail
    )


def raise_problem(db: Database, context: LedgerContext, news: OperatorNews, lines: tuple[str, ...], at: Millis) -> None:
    """Mail a lasting problem, unless the same lines were mailed and the problem has not been cleared since."""
    raised = _raised_problems(db)
    if raised.get(news) != list(lines):
        notify_operators(db, context, news, lines, at)
        daemon_state.put(db, daemon_state.RAISED_PROBLEMS, raised | {str(news): list(lines)})
        journal.append(db, at, "problem-raised", {"problem": str(news), "sha256": lines_digest(lines)})


def clear_problem(db: Database, news: OperatorNews, at: Millis) -> None:
    """Record that a problem is over, so that it is mailed again when it returns. This sends no mail."""
    raised = _raised_problems(db)
    if raised.pop(news, None) is not None:
        daemon_state.put(db, daemon_state.RAISED_PROBLEMS, raised)
        journal.append(db, at, "problem-cleared", {"problem": str(news)})


def _raised_problems(db: Database) -> dict[str, list[str]]:
    return daemon_state.get(db, daemon_state.RAISED_PROBLEMS) or {}
