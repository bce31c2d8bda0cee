"""The letter of one sweep: what fell and what rose, by server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.formatting import (
    MAX_SUBJECT_LENGTH,
    format_deadline,
    format_duration,
    format_instant,
    format_month,
    format_percent,
    format_rounded_duration,
    join_truncated,
    one_line,
)
from monitor.mail.content import FlappingEnded, FlappingStarted, OutageEnded, OutageStarted, ServerEvents
from monitor.mail.rendering.layout import Card, Entry, Fact, Sheet, Tone
from monitor.model import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.mail.content import OutageEvent, OutageMail, Recipient
    from monitor.mail.languages.catalog import OutageWords, Words


# --- why a check failed, in the recipient's language ------------------------------------------------------------------

_FORMER = {
    "connection refused": Reason.REFUSED,
    "connection reset": Reason.RESET,
    "connection closed": Reason.CLOSED,
    "host unreachable": Reason.UNREACHABLE,
    "network unreachable": Reason.UNREACHABLE,
    "port unreachable": Reason.UNREACHABLE,
    "protocol unreachable": Reason.UNREACHABLE,
    "administratively prohibited": Reason.UNREACHABLE,
    "time to live exceeded": Reason.UNREACHABLE,
    "not connected": Reason.UNREACHABLE,
    "certificate expired": Reason.TLS_EXPIRED,
    "certificate not yet valid": Reason.TLS_EARLY,
    "certificate for another name": Reason.TLS_NAME,
    "certificate not trusted": Reason.TLS_UNTRUSTED,
    "certificate revoked": Reason.TLS_REVOKED,
    "tls failed": Reason.TLS,
    "invalid answer": Reason.PROTOCOL,
    "incomplete body": Reason.PROTOCOL,
    "protocol error": Reason.PROTOCOL,
    "text not found": Reason.CONTENT,
    "too many redirects": Reason.REDIRECT,
    "redirect to nowhere": Reason.REDIRECT,
}
"""What was recorded before reasons began with a word; records are never rewritten, and are still told of."""
_WORDS = frozenset(Reason)


def reason(text: str, phrases: Mapping[Reason, str]) -> str:
    """Return what was seen in the reader's words, with the result's own reason, by which it is found again.

    A reason that is none of the set (of an import, or of a program to come) is shown as it is.
    """
    text = one_line(text)
    phrase, by, router = text.partition(" (from ")
    word = _word(phrase)
    known = phrases.get(word, "") if word else ""
    if known in ("", phrase):
        return text
    return f"{known} ({phrase} from {router}" if by else f"{known} ({phrase})"


def _word(text: str) -> Reason | None:
    word = text.partition(":")[0]
    if word in _WORDS:
        return Reason(word)
    return Reason.STATUS if text.startswith("status ") else _FORMER.get(text)


_ORDER = (OutageStarted, OutageEnded, FlappingStarted, FlappingEnded)


class _Headline(NamedTuple):
    tone: Tone
    title: str
    opening: str


def outage_sheet(letter: OutageMail, words: Words) -> Sheet:
    """Return what the letter says, server by server, the fallen ones' children under them."""
    reader, outage = letter.recipient, words.outage
    kinds = {type(event) for news in _flat(letter.servers) for event in news.events}
    headline = _headline(kinds, outage)
    greeting = (outage.greeting.format(name=one_line(reader.name)),) if reader.name else ()
    return Sheet(
        language=reader.language,
        tone=headline.tone,
        headline=headline.title,
        opening=(*greeting, headline.opening),
        cards=tuple(_card(news, reader, outage) for news in letter.servers),
        closing=(outage.down_closing,) if OutageStarted in kinds else (),
    )


def outage_subject(letter: OutageMail, words: Words) -> str:
    """Return the subject: state word first, then the servers, as much of them as a telephone shows."""
    groups = [group for kind in _ORDER if (group := _Group.of(kind, letter, words.outage))]
    full = "; ".join(group.full() for group in groups)
    if len(full) <= MAX_SUBJECT_LENGTH:
        return full
    if len(groups) == 1:
        return groups[0].fitted()
    return next(
        (text for text in _shorter(groups, words.outage) if len(text) <= MAX_SUBJECT_LENGTH),
        "; ".join(f"{group.word} {len(group.servers)}" for group in groups),
    )


def _shorter(groups: list[_Group], words: OutageWords) -> Iterator[str]:
    yield "; ".join(group.brief() for group in groups)
    yield "; ".join(f"{group.word} {_count(len(group.servers), group.servers, words)}" for group in groups)


def _count(count: int, servers: list[ServerEvents], words: OutageWords) -> str:
    return one_line(servers[0].server) if count == 1 else words.servers.format(count=count)


class _Group:
    """The servers of a letter with one kind of news, for the subject."""

    def __init__(self, word: str, kind: type, letter: OutageMail, words: OutageWords) -> None:
        self.word = word
        self.kind = kind
        self.letter = letter
        self.words = words
        self.servers = [news for news in _flat(letter.servers) if any(isinstance(e, kind) for e in news.events)]

    @classmethod
    def of(cls, kind: type, letter: OutageMail, words: OutageWords) -> _Group | None:
        """Return the group, None where there is no such news."""
        names = {
            OutageStarted: words.down,
            OutageEnded: words.up,
            FlappingStarted: words.flapping,
            FlappingEnded: words.settled,
        }
        group = cls(names[kind], kind, letter, words)
        return group if group.servers else None

    def full(self) -> str:
        """Return the group with all its servers and their checks."""
        servers = self.servers
        if len(servers) > 1 and (top := self._fallen_with_children()):
            count = len(servers) - 1
            behind = self.words.one_behind if count == 1 else self.words.many_behind
            return f"{self.word} " + behind.format(server=self._with_checks(top), count=count)
        text = ", ".join(self._with_checks(news) for news in servers)
        if len(servers) == 1:
            text = self._told(text)
        return f"{self.word} {text}"

    def brief(self) -> str:
        """Return the group with all its servers, without checks."""
        return f"{self.word} " + ", ".join(one_line(news.server) for news in self.servers)

    def fitted(self) -> str:
        """Return the group with as many names as a subject holds."""
        names = [one_line(news.server) for news in self.servers]
        if len(names) == 1:
            told = self._told("\0")
            return f"{self.word} " + told.replace(
                "\0", join_truncated(names, MAX_SUBJECT_LENGTH - len(self.word) - len(told))
            )
        head = f"{self.word} {self.words.servers.format(count=len(names))}: "
        return head + join_truncated(names, MAX_SUBJECT_LENGTH - len(head))

    def _fallen_with_children(self) -> ServerEvents | None:
        """Return the one server that all the others hang on, if it is so and it fell itself."""
        tops = self.letter.servers
        return tops[0] if self.kind is OutageStarted and len(tops) == 1 and tops[0] is self.servers[0] else None

    def _with_checks(self, news: ServerEvents) -> str:
        checks = [one_line(event.check) for event in news.events if isinstance(event, self.kind)]
        return f"{one_line(news.server)} ({', '.join(checks)})"

    def _told(self, server: str) -> str:
        """Return a single server with what fits it: the length of its outage, its state."""
        events = self.servers[0].events
        language = self.letter.recipient.language
        rises = [event.counted for event in events if isinstance(event, OutageEnded)]
        states = [event.state for event in events if isinstance(event, FlappingEnded)]
        if self.kind is OutageEnded:
            return self.words.lasted.format(server=server, length=format_rounded_duration(max(rises), language))
        if self.kind is FlappingEnded:
            return self.words.now.format(server=server, state=self.words.states[states[0]])
        return server


def _flat(servers: tuple[ServerEvents, ...]) -> Iterator[ServerEvents]:
    """Yield every server, a parent before its children."""
    for news in servers:
        yield news
        yield from _flat(news.children)


def _headline(kinds: set[type[OutageEvent]], words: OutageWords) -> _Headline:
    if {OutageStarted, OutageEnded} <= kinds:
        return _Headline(Tone.BAD, words.mixed_title, words.mixed_opening)
    if OutageStarted in kinds:
        return _Headline(Tone.BAD, words.down_title, words.down_opening)
    if OutageEnded in kinds:
        return _Headline(Tone.GOOD, words.up_title, words.up_opening)
    if FlappingStarted in kinds:
        return _Headline(Tone.WARNING, words.flapping_title, words.unsteady_opening)
    return _Headline(Tone.NEUTRAL, words.settled_title, words.unsteady_opening)


def _card(news: ServerEvents, reader: Recipient, words: OutageWords) -> Card:
    rises = [event for event in news.events if isinstance(event, OutageEnded)]
    name = one_line(news.server)
    return Card(
        title=name,
        entries=tuple(_entry(event, reader, words) for event in news.events),
        remarks=(*_standings(news, reader, words), *_claims(rises, reader, words)) if rises else (),
        behind=words.behind.format(server=name),
        children=tuple(_card(child, reader, words) for child in news.children),
    )


def _entry(event: OutageEvent, reader: Recipient, words: OutageWords) -> Entry:
    check = one_line(event.check)

    def at(moment: int) -> str:
        return format_instant(moment, reader.timezone, reader.language)

    match event:
        case OutageStarted():
            facts = (Fact(words.since, at(event.since)), Fact(words.seen, reason(event.reason, words.reasons)))
            return Entry(Tone.BAD, words.down, check, facts)
        case OutageEnded():
            return Entry(Tone.GOOD, words.up, check, _rose(event, reader, words))
        case FlappingStarted():
            note = words.flapping_note.format(count=event.changes)
            return Entry(Tone.WARNING, words.flapping, check, (Fact(words.since, at(event.since)), Fact("", note)))
        case FlappingEnded():
            state = Fact(words.state, words.states[event.state])
            since = (Fact(words.since, at(event.since)), Fact(words.unsteady, at(event.flapping_since)))
            return Entry(Tone.NEUTRAL, words.settled, check, (state, *since))


def _rose(event: OutageEnded, reader: Recipient, words: OutageWords) -> tuple[Fact, ...]:
    language = reader.language
    length = words.bounds.format(
        counted=format_duration(event.counted, language),
        least=format_duration(event.least, language),
        most=format_duration(event.most, language),
    )
    facts = (
        Fact(words.start, format_instant(event.start, reader.timezone, language)),
        Fact(words.end, format_instant(event.end, reader.timezone, language)),
        Fact(words.length, length),
    )
    if not event.excluded:
        return facts
    excluded = words.excluded_note.format(length=format_duration(event.excluded, language))
    return (*facts, Fact(words.excluded, excluded))


def _standings(news: ServerEvents, reader: Recipient, words: OutageWords) -> Iterator[str]:
    """Yield how each subscription stands in the month so far."""
    language = reader.language
    for standing in news.months_to_date:
        target = format_percent(standing.target, language)
        if standing.availability is None:
            figures = words.nothing_measured.format(target=target)
        else:
            verdict = {True: words.met, False: words.missed, None: words.open}[standing.target_met]
            availability = format_percent(standing.availability, language)
            figures = words.standing.format(availability=availability, target=target, verdict=verdict)
        label = words.month.format(
            subscription=one_line(standing.subscription), month=format_month(standing.month, language)
        )
        yield f"{label}: {figures}"


def _claims(rises: list[OutageEnded], reader: Recipient, words: OutageWords) -> Iterator[str]:
    """Yield until when credit can be claimed: by check where several outages of the server have ended."""
    for event in rises:
        if (last := event.claim_deadline) is None:
            continue
        sentence = words.claim if len(rises) == 1 else words.claim_of
        if last < event.end:
            sentence = words.claim_passed
        yield sentence.format(
            check=one_line(event.check), deadline=format_deadline(last, reader.timezone, reader.language)
        )
