"""The letter of one sweep: what fell and what rose, by server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.formatting import SUBJECT_LENGTH, about, deadline, duration, instant, listed, month, percent
from monitor.mail.content import Fell, FlappingBegan, Rose, ServerNews, Settled
from monitor.mail.reasons import reason
from monitor.mail.rendering.layout import Card, Entry, Fact, Sheet, Tone
from monitor.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.mail.content import Event, OutageLetter, Reader
    from monitor.mail.languages.catalog import OutageWords, Words

_ORDER = (Fell, Rose, FlappingBegan, Settled)


class _Headline(NamedTuple):
    tone: Tone
    title: str
    opening: str


def outage_sheet(letter: OutageLetter, words: Words) -> Sheet:
    """Return what the letter says, server by server, the fallen ones' children under them."""
    reader, outage = letter.reader, words.outage
    kinds = {type(event) for news in _flat(letter.servers) for event in news.events}
    headline = _headline(kinds, outage)
    greeting = (outage.greeting.format(name=one_line(reader.name)),) if reader.name else ()
    return Sheet(
        language=reader.language,
        tone=headline.tone,
        headline=headline.title,
        opening=(*greeting, headline.opening),
        cards=tuple(_card(news, reader, outage) for news in letter.servers),
        closing=(outage.down_closing,) if Fell in kinds else (),
    )


def outage_subject(letter: OutageLetter, words: Words) -> str:
    """Return the subject: state word first, then the servers, as much of them as a telephone shows."""
    groups = [group for kind in _ORDER if (group := _Group.of(kind, letter, words.outage))]
    full = "; ".join(group.full() for group in groups)
    if len(full) <= SUBJECT_LENGTH:
        return full
    if len(groups) == 1:
        return groups[0].fitted()
    return next(
        (text for text in _shorter(groups, words.outage) if len(text) <= SUBJECT_LENGTH),
        "; ".join(f"{group.word} {len(group.servers)}" for group in groups),
    )


def _shorter(groups: list[_Group], words: OutageWords) -> Iterator[str]:
    yield "; ".join(group.brief() for group in groups)
    yield "; ".join(f"{group.word} {_count(len(group.servers), group.servers, words)}" for group in groups)


def _count(count: int, servers: list[ServerNews], words: OutageWords) -> str:
    return one_line(servers[0].server) if count == 1 else words.servers.format(count=count)


class _Group:
    """The servers of a letter with one kind of news, for the subject."""

    def __init__(self, word: str, kind: type, letter: OutageLetter, words: OutageWords) -> None:
        self.word = word
        self.kind = kind
        self.letter = letter
        self.words = words
        self.servers = [news for news in _flat(letter.servers) if any(isinstance(e, kind) for e in news.events)]

    @classmethod
    def of(cls, kind: type, letter: OutageLetter, words: OutageWords) -> _Group | None:
        """Return the group, None where there is no such news."""
        names = {Fell: words.down, Rose: words.up, FlappingBegan: words.flapping, Settled: words.settled}
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
            return f"{self.word} " + told.replace("\0", listed(names, SUBJECT_LENGTH - len(self.word) - len(told)))
        head = f"{self.word} {self.words.servers.format(count=len(names))}: "
        return head + listed(names, SUBJECT_LENGTH - len(head))

    def _fallen_with_children(self) -> ServerNews | None:
        """Return the one server that all the others hang on, if it is so and it fell itself."""
        tops = self.letter.servers
        return tops[0] if self.kind is Fell and len(tops) == 1 and tops[0] is self.servers[0] else None

    def _with_checks(self, news: ServerNews) -> str:
        checks = [one_line(event.check) for event in news.events if isinstance(event, self.kind)]
        return f"{one_line(news.server)} ({', '.join(checks)})"

    def _told(self, server: str) -> str:
        """Return a single server with what fits it: the length of its outage, its state."""
        events = self.servers[0].events
        language = self.letter.reader.language
        rises = [event.counted for event in events if isinstance(event, Rose)]
        states = [event.state for event in events if isinstance(event, Settled)]
        if self.kind is Rose:
            return self.words.lasted.format(server=server, length=about(max(rises), language))
        if self.kind is Settled:
            return self.words.now.format(server=server, state=self.words.states[states[0]])
        return server


def _flat(servers: tuple[ServerNews, ...]) -> Iterator[ServerNews]:
    """Yield every server, a parent before its children."""
    for news in servers:
        yield news
        yield from _flat(news.children)


def _headline(kinds: set[type[Event]], words: OutageWords) -> _Headline:
    if {Fell, Rose} <= kinds:
        return _Headline(Tone.BAD, words.mixed_title, words.mixed_opening)
    if Fell in kinds:
        return _Headline(Tone.BAD, words.down_title, words.down_opening)
    if Rose in kinds:
        return _Headline(Tone.GOOD, words.up_title, words.up_opening)
    if FlappingBegan in kinds:
        return _Headline(Tone.WARNING, words.flapping_title, words.unsteady_opening)
    return _Headline(Tone.NEUTRAL, words.settled_title, words.unsteady_opening)


def _card(news: ServerNews, reader: Reader, words: OutageWords) -> Card:
    rises = [event for event in news.events if isinstance(event, Rose)]
    name = one_line(news.server)
    return Card(
        title=name,
        entries=tuple(_entry(event, reader, words) for event in news.events),
        remarks=(*_standings(news, reader, words), *_claims(rises, reader, words)) if rises else (),
        behind=words.behind.format(server=name),
        children=tuple(_card(child, reader, words) for child in news.children),
    )


def _entry(event: Event, reader: Reader, words: OutageWords) -> Entry:
    check = one_line(event.check)

    def at(moment: int) -> str:
        return instant(moment, reader.timezone, reader.language)

    match event:
        case Fell():
            facts = (Fact(words.since, at(event.since)), Fact(words.seen, reason(event.reason, words.reasons)))
            return Entry(Tone.BAD, words.down, check, facts)
        case Rose():
            return Entry(Tone.GOOD, words.up, check, _rose(event, reader, words))
        case FlappingBegan():
            note = words.flapping_note.format(count=event.changes)
            return Entry(Tone.WARNING, words.flapping, check, (Fact(words.since, at(event.since)), Fact("", note)))
        case Settled():
            state = Fact(words.state, words.states[event.state])
            since = (Fact(words.since, at(event.since)), Fact(words.unsteady, at(event.flapping_since)))
            return Entry(Tone.NEUTRAL, words.settled, check, (state, *since))


def _rose(event: Rose, reader: Reader, words: OutageWords) -> tuple[Fact, ...]:
    language = reader.language
    length = words.bounds.format(
        counted=duration(event.counted, language),
        least=duration(event.least, language),
        most=duration(event.most, language),
    )
    facts = (
        Fact(words.start, instant(event.start, reader.timezone, language)),
        Fact(words.end, instant(event.end, reader.timezone, language)),
        Fact(words.length, length),
    )
    if not event.excluded:
        return facts
    excluded = words.excluded_note.format(length=duration(event.excluded, language))
    return (*facts, Fact(words.excluded, excluded))


def _standings(news: ServerNews, reader: Reader, words: OutageWords) -> Iterator[str]:
    """Yield how each subscription stands in the month so far."""
    language = reader.language
    for standing in news.standings:
        target = percent(standing.target, language)
        if standing.availability is None:
            figures = words.nothing_measured.format(target=target)
        else:
            verdict = {True: words.met, False: words.missed, None: words.open}[standing.target_met]
            availability = percent(standing.availability, language)
            figures = words.standing.format(availability=availability, target=target, verdict=verdict)
        label = words.month.format(subscription=one_line(standing.subscription), month=month(standing.month, language))
        yield f"{label}: {figures}"


def _claims(rises: list[Rose], reader: Reader, words: OutageWords) -> Iterator[str]:
    """Yield until when credit can be claimed: by check where several outages of the server have ended."""
    for event in rises:
        if (last := event.claim_deadline) is None:
            continue
        sentence = words.claim if len(rises) == 1 else words.claim_of
        if last < event.end:
            sentence = words.claim_passed
        yield sentence.format(check=one_line(event.check), deadline=deadline(last, reader.timezone, reader.language))
