"""The letters beside outages: maintenance, news for the operators, the month's report, the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.formatting import (
    MAX_SUBJECT_LENGTH,
    format_decimal,
    format_duration,
    format_instant,
    format_minute,
    format_month,
    format_percent,
    join_truncated,
    one_line,
    truncate,
)
from monitor.mail.rendering.layout import Card, Entry, Fact, Sheet, Tone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.mail.content import MaintenanceMail, OperatorMail, Recipient, ReportMail, ReportRow, TestMail
    from monitor.mail.languages.catalog import NoticeWords, Words


def maintenance_subject(letter: MaintenanceMail, words: Words) -> str:
    """Return the subject: what changed, from when (or until when), and the servers."""
    head = words.maintenance.words[letter.change, letter.kind]
    moment = letter.end if letter.change in {"extended", "shortened"} else letter.start
    when = format_minute(moment, letter.recipient.timezone, letter.recipient.language)
    if letter.change in {"extended", "shortened"}:
        when = words.maintenance.until.format(end=when)
    room = MAX_SUBJECT_LENGTH - len(f"{head} : {when}")
    return f"{head} {when}: {join_truncated([one_line(server) for server in letter.servers], room)}"


def maintenance_sheet(letter: MaintenanceMail, words: Words) -> Sheet:
    """Return the window with what it means for the accounts: excluded or, announced too late, not (4.1, 4.9)."""
    reader, maintenance = letter.recipient, words.maintenance
    late = letter.kind == "planned" and letter.notice_shortfall > 0 and letter.change != "cancelled"
    return Sheet(
        language=reader.language,
        tone=Tone.WARNING if late or letter.kind == "emergency" else Tone.NEUTRAL,
        headline=maintenance.titles[letter.change, letter.kind],
        opening=(*_greeting(reader, words), maintenance.openings[letter.change]),
        cards=(
            Card(
                title=maintenance.card.format(id=letter.id),
                facts=tuple(_window(letter, words)),
                remarks=tuple(_consequences(letter, words)),
            ),
        ),
    )


def _window(letter: MaintenanceMail, words: Words) -> Iterator[Fact]:
    reader, maintenance = letter.recipient, words.maintenance

    def at(moment: int) -> str:
        return format_instant(moment, reader.timezone, reader.language)

    yield Fact(maintenance.servers, ", ".join(one_line(server) for server in letter.servers))
    yield Fact(maintenance.start, at(letter.start))
    yield Fact(maintenance.end, at(letter.end))
    if letter.previous_end is not None:
        yield Fact(maintenance.previous_end, at(letter.previous_end))
    if letter.end > letter.start:  # of a window that was cancelled before it began nothing may be left
        yield Fact(maintenance.length, format_duration(letter.end - letter.start, reader.language))
    yield Fact(maintenance.reason, one_line(letter.reason))
    if letter.reference:
        yield Fact(maintenance.reference, one_line(letter.reference))


def _consequences(letter: MaintenanceMail, words: Words) -> Iterator[str]:
    reader, maintenance = letter.recipient, words.maintenance
    if letter.change == "cancelled":
        yield maintenance.cancelled
        return
    if letter.change == "shortened":
        yield maintenance.after_end
    if letter.change == "extended" and letter.previous_end is not None:
        yield maintenance.added.format(
            start=format_instant(letter.previous_end, reader.timezone, reader.language),
            end=format_instant(letter.end, reader.timezone, reader.language),
        )
    if letter.kind == "emergency":
        yield maintenance.emergency
    elif letter.notice_shortfall > 0:
        yield maintenance.too_late.format(short=format_duration(letter.notice_shortfall, reader.language, days=False))
    else:
        yield maintenance.qualifies


def operator_subject(letter: OperatorMail, words: Words) -> str:
    """Return the subject: the state word, then what it is."""
    news = words.notice.news[letter.news]
    return truncate(f"{news.word}: {news.title}", MAX_SUBJECT_LENGTH)


def operator_sheet(letter: OperatorMail, words: Words) -> Sheet:
    """Return the news, what it means, and its particulars as they are."""
    reader = letter.recipient
    news = words.notice.news[letter.news]
    particulars = Card(title=words.notice.particulars, facts=tuple(Fact("", one_line(line)) for line in letter.lines))
    return Sheet(
        language=reader.language,
        tone=Tone.BAD,
        headline=news.title,
        opening=(news.meaning.format(at=format_instant(letter.at, reader.timezone, reader.language)),),
        cards=(particulars,) if letter.lines else (),
    )


def report_subject(letter: ReportMail, words: Words) -> str:
    """Return the subject: the month, and the availability of the one service or how many there are."""
    language = letter.recipient.language
    head = f"{words.notice.report} {format_month(letter.month, language)}: "
    if len(letter.rows) != 1:
        return head + words.notice.subscriptions.format(count=len(letter.rows))
    line = letter.rows[0]
    figure = " " + format_percent(line.availability, language) if line.availability is not None else ""
    return head + truncate(one_line(line.subscription), MAX_SUBJECT_LENGTH - len(head) - len(figure)) + figure


def report_sheet(letter: ReportMail, words: Words) -> Sheet:
    """Return the month, a card for each subscription (docs/contract.md#the-month)."""
    reader, notice = letter.recipient, words.notice
    missed = any(line.target_met is False for line in letter.rows)
    label = format_month(letter.month, reader.language)
    return Sheet(
        language=reader.language,
        tone=Tone.WARNING if missed else Tone.NEUTRAL,
        headline=notice.report_title.format(month=label),
        opening=(*_greeting(reader, words), notice.report_opening.format(month=label)),
        cards=tuple(_month(line, reader, words) for line in letter.rows),
    )


def _month(line: ReportRow, reader: Recipient, words: Words) -> Card:
    notice, language = words.notice, reader.language
    verdicts = {
        True: (Tone.GOOD, words.outage.met),
        False: (Tone.BAD, words.outage.missed),
        None: (Tone.NEUTRAL, words.outage.open),
    }
    tone, verdict = verdicts[line.target_met]
    target = f"{notice.target} {format_percent(line.target, language)}"
    facts = [Fact(notice.availability, _figures(line, reader, notice))]
    if line.coverage is not None:
        facts.append(Fact(notice.coverage, format_percent(line.coverage, language)))
    facts.append(Fact(notice.down, format_duration(line.down, language)))
    if line.excluded:
        facts.append(Fact(notice.excluded, format_duration(line.excluded, language)))
    facts.append(Fact(notice.credit, _credit(line, reader, notice)))
    name, server = one_line(line.subscription), one_line(line.server)
    return Card(title=f"{name} ({server})", entries=(Entry(tone, target, verdict, tuple(facts)),))


def _figures(line: ReportRow, reader: Recipient, notice: NoticeWords) -> str:
    if line.availability is None:
        return notice.none
    figure = format_percent(line.availability, reader.language)
    if line.lowest is None or line.highest is None or line.lowest == line.highest:
        return figure
    lowest, highest = format_percent(line.lowest, reader.language), format_percent(line.highest, reader.language)
    return notice.bounds.format(availability=figure, lowest=lowest, highest=highest)


def _credit(line: ReportRow, reader: Recipient, notice: NoticeWords) -> str:
    credit = notice.no_credit
    if line.credit_percent != "0":
        credit = format_percent(line.credit_percent, reader.language)
        if line.credit_amount is not None:
            credit += f" = {format_decimal(one_line(line.credit_amount), reader.language)}"
    return credit if line.credit_certain else notice.uncertain.format(credit=credit)


def trial_subject(letter: TestMail, words: Words) -> str:  # noqa: ARG001 - as its siblings
    """Return the subject of a test mail."""
    return f"{words.notice.test} {words.notice.test_subject}"


def trial_sheet(letter: TestMail, words: Words) -> Sheet:
    """Return when and how the mail was sent."""
    reader, notice = letter.recipient, words.notice
    sent = Fact(notice.sent, format_instant(letter.at, reader.timezone, reader.language))
    return Sheet(
        language=reader.language,
        tone=Tone.GOOD,
        headline=notice.test_title,
        opening=(notice.test_opening,),
        cards=(Card(title="", facts=(sent, Fact(notice.transport, one_line(letter.transport)))),),
    )


def _greeting(reader: Recipient, words: Words) -> tuple[str, ...]:
    return (words.outage.greeting.format(name=one_line(reader.name)),) if reader.name else ()
