"""The letters beside outages: maintenance, news for the operators, the month's report, the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.formatting import (
    SUBJECT_LENGTH,
    cut,
    decimal,
    duration,
    instant,
    listed,
    minute,
    month,
    percent,
)
from monitor.mail.rendering.layout import Card, Entry, Fact, Sheet, Tone
from monitor.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.mail.content import MaintenanceLetter, MonthLine, OperatorLetter, Reader, ReportLetter, TestLetter
    from monitor.mail.languages.catalog import NoticeWords, Words


def maintenance_subject(letter: MaintenanceLetter, words: Words) -> str:
    """Return the subject: what changed, from when (or until when), and the servers."""
    head = words.maintenance.words[letter.change, letter.kind]
    moment = letter.end if letter.change in {"extended", "shortened"} else letter.start
    when = minute(moment, letter.reader.timezone, letter.reader.language)
    if letter.change in {"extended", "shortened"}:
        when = words.maintenance.until.format(end=when)
    room = SUBJECT_LENGTH - len(f"{head} : {when}")
    return f"{head} {when}: {listed([one_line(server) for server in letter.servers], room)}"


def maintenance_sheet(letter: MaintenanceLetter, words: Words) -> Sheet:
    """Return the window with what it means for the accounts: excluded or, announced too late, not (4.1, 4.9)."""
    reader, maintenance = letter.reader, words.maintenance
    late = letter.kind == "planned" and letter.short_by > 0 and letter.change != "cancelled"
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


def _window(letter: MaintenanceLetter, words: Words) -> Iterator[Fact]:
    reader, maintenance = letter.reader, words.maintenance

    def at(moment: int) -> str:
        return instant(moment, reader.timezone, reader.language)

    yield Fact(maintenance.servers, ", ".join(one_line(server) for server in letter.servers))
    yield Fact(maintenance.start, at(letter.start))
    yield Fact(maintenance.end, at(letter.end))
    if letter.previous_end is not None:
        yield Fact(maintenance.previous_end, at(letter.previous_end))
    if letter.end > letter.start:  # of a window that was cancelled before it began nothing may be left
        yield Fact(maintenance.length, duration(letter.end - letter.start, reader.language))
    yield Fact(maintenance.reason, one_line(letter.reason))
    if letter.reference:
        yield Fact(maintenance.reference, one_line(letter.reference))


def _consequences(letter: MaintenanceLetter, words: Words) -> Iterator[str]:
    reader, maintenance = letter.reader, words.maintenance
    if letter.change == "cancelled":
        yield maintenance.cancelled
        return
    if letter.change == "shortened":
        yield maintenance.after_end
    if letter.change == "extended" and letter.previous_end is not None:
        yield maintenance.added.format(
            start=instant(letter.previous_end, reader.timezone, reader.language),
            end=instant(letter.end, reader.timezone, reader.language),
        )
    if letter.kind == "emergency":
        yield maintenance.emergency
    elif letter.short_by > 0:
        yield maintenance.too_late.format(short=duration(letter.short_by, reader.language, days=False))
    else:
        yield maintenance.qualifies


def operator_subject(letter: OperatorLetter, words: Words) -> str:
    """Return the subject: the state word, then what it is."""
    news = words.notice.news[letter.news]
    return cut(f"{news.word}: {news.title}", SUBJECT_LENGTH)


def operator_sheet(letter: OperatorLetter, words: Words) -> Sheet:
    """Return the news, what it means, and its particulars as they are."""
    reader = letter.reader
    news = words.notice.news[letter.news]
    particulars = Card(title=words.notice.particulars, facts=tuple(Fact("", one_line(line)) for line in letter.lines))
    return Sheet(
        language=reader.language,
        tone=Tone.BAD,
        headline=news.title,
        opening=(news.meaning.format(at=instant(letter.at, reader.timezone, reader.language)),),
        cards=(particulars,) if letter.lines else (),
    )


def report_subject(letter: ReportLetter, words: Words) -> str:
    """Return the subject: the month, and the availability of the one service or how many there are."""
    language = letter.reader.language
    head = f"{words.notice.report} {month(letter.month, language)}: "
    if len(letter.lines) != 1:
        return head + words.notice.subscriptions.format(count=len(letter.lines))
    line = letter.lines[0]
    figure = " " + percent(line.availability, language) if line.availability is not None else ""
    return head + cut(one_line(line.subscription), SUBJECT_LENGTH - len(head) - len(figure)) + figure


def report_sheet(letter: ReportLetter, words: Words) -> Sheet:
    """Return the month, a card for each subscription (reading.md 9)."""
    reader, notice = letter.reader, words.notice
    missed = any(line.target_met is False for line in letter.lines)
    label = month(letter.month, reader.language)
    return Sheet(
        language=reader.language,
        tone=Tone.WARNING if missed else Tone.NEUTRAL,
        headline=notice.report_title.format(month=label),
        opening=(*_greeting(reader, words), notice.report_opening.format(month=label)),
        cards=tuple(_month(line, reader, words) for line in letter.lines),
    )


def _month(line: MonthLine, reader: Reader, words: Words) -> Card:
    notice, language = words.notice, reader.language
    verdicts = {
        True: (Tone.GOOD, words.outage.met),
        False: (Tone.BAD, words.outage.missed),
        None: (Tone.NEUTRAL, words.outage.open),
    }
    tone, verdict = verdicts[line.target_met]
    target = f"{notice.target} {percent(line.target, language)}"
    facts = [Fact(notice.availability, _figures(line, reader, notice))]
    if line.coverage is not None:
        facts.append(Fact(notice.coverage, percent(line.coverage, language)))
    facts.append(Fact(notice.down, duration(line.down, language)))
    if line.excluded:
        facts.append(Fact(notice.excluded, duration(line.excluded, language)))
    facts.append(Fact(notice.credit, _credit(line, reader, notice)))
    name, server = one_line(line.subscription), one_line(line.server)
    return Card(title=f"{name} ({server})", entries=(Entry(tone, target, verdict, tuple(facts)),))


def _figures(line: MonthLine, reader: Reader, notice: NoticeWords) -> str:
    if line.availability is None:
        return notice.none
    figure = percent(line.availability, reader.language)
    if line.lowest is None or line.highest is None or line.lowest == line.highest:
        return figure
    lowest, highest = percent(line.lowest, reader.language), percent(line.highest, reader.language)
    return notice.bounds.format(availability=figure, lowest=lowest, highest=highest)


def _credit(line: MonthLine, reader: Reader, notice: NoticeWords) -> str:
    credit = notice.no_credit
    if line.credit_percent != "0":
        credit = percent(line.credit_percent, reader.language)
        if line.credit_amount is not None:
            credit += f" = {decimal(one_line(line.credit_amount), reader.language)}"
    return credit if line.credit_certain else notice.uncertain.format(credit=credit)


def trial_subject(letter: TestLetter, words: Words) -> str:  # noqa: ARG001 - as its siblings
    """Return the subject of a test mail."""
    return f"{words.notice.test} {words.notice.test_subject}"


def trial_sheet(letter: TestLetter, words: Words) -> Sheet:
    """Return when and how the mail was sent."""
    reader, notice = letter.reader, words.notice
    sent = Fact(notice.sent, instant(letter.at, reader.timezone, reader.language))
    return Sheet(
        language=reader.language,
        tone=Tone.GOOD,
        headline=notice.test_title,
        opening=(notice.test_opening,),
        cards=(Card(title="", facts=(sent, Fact(notice.transport, one_line(letter.transport)))),),
    )


def _greeting(reader: Reader, words: Words) -> tuple[str, ...]:
    return (words.outage.greeting.format(name=one_line(reader.name)),) if reader.name else ()
