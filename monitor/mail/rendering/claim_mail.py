"""The letters about claims: one that is refused, and the answer with every figure and its clause (6.2, 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.formatting import SUBJECT_LENGTH, cut, deadline, instant, percent
from monitor.mail.claim_figures import decision_card, exclusion_card, month_card, outage_card, verdict
from monitor.mail.rendering.layout import Card, Fact, Sheet, Tone
from monitor.mail.text import one_line

if TYPE_CHECKING:
    from monitor.mail.claim_letters import AnswerLetter, ClaimFacts, Records, RefusalLetter
    from monitor.mail.content import Reader
    from monitor.mail.languages.catalog import Words

_NO_CHECK: Final = "-"


def answer_subject(letter: AnswerLetter, words: Words) -> str:
    """Return the subject: credit or none, its rate, the service."""
    answer, claim = letter.answer, words.claim
    if not answer.positive:
        return _subject(claim.denied if answer.final else claim.denied_so_far, answer.claim)
    highest = max((each.percent for each in answer.months), key=int)
    sentence = claim.granted if answer.final else claim.granted_so_far
    return _subject(sentence, answer.claim, percent(highest, letter.reader.language))


def refusal_subject(letter: RefusalLetter, words: Words) -> str:
    """Return the subject: that it is refused, and for which service."""
    return _subject(words.claim.refused, letter.claim)


def _subject(sentence: str, claim: ClaimFacts, rate: str = "") -> str:
    name = one_line(claim.subscription)
    room = SUBJECT_LENGTH - len(sentence.format(percent=rate, subscription="", claim=claim.claim))
    return sentence.format(percent=rate, subscription=cut(name, room), claim=claim.claim)


def answer_sheet(letter: AnswerLetter, words: Words) -> Sheet:
    """Return the answer: the verdict in words, the claim, each month with all its figures, how it can be proven."""
    reader, answer, claim = letter.reader, letter.answer, words.claim
    opening = [claim.examined.format(made=instant(answer.claim.opened_at, reader.timezone, reader.language))]
    for each in answer.months:
        opening += verdict(each, reader, words)
    if answer.note:
        opening.append(claim.note.format(note=one_line(answer.note)))
    cards = [_claim_card(answer.claim, reader, words)]
    for each in answer.months:
        cards += (
            month_card(each, reader, words),
            outage_card(each, answer.claim.outage, reader, words),
            exclusion_card(each, reader, words),
        )
    cards += (decision_card(answer.months, words), _records_card(answer.records, reader, words))
    if answer.positive:
        title, tone = (claim.granted_title if answer.final else claim.granted_so_far_title), Tone.GOOD
    else:
        title, tone = (claim.denied_title if answer.final else claim.denied_so_far_title), Tone.NEUTRAL
    return Sheet(
        language=reader.language,
        tone=tone,
        headline=title,
        opening=(*_greeting(reader, words), *opening),
        cards=tuple(cards),
        closing=(claim.future_invoices,) if answer.positive else (),
    )


def refusal_sheet(letter: RefusalLetter, words: Words) -> Sheet:
    """Return why the claim is refused, with its deadline and the clause."""
    reader, facts, claim = letter.reader, letter.claim, words.claim
    made = instant(facts.opened_at, reader.timezone, reader.language)
    if letter.why == "late":
        last = deadline(facts.deadline, reader.timezone, reader.language)
        reason = claim.refused_late.format(made=made, deadline=last)
    else:
        reason = claim.refused_not_measured.format(
            made=made,
            measured=", ".join(one_line(name) for name in letter.measured) or _NO_CHECK,
            check=one_line(facts.check),
            clause=letter.clause,
        )
    return Sheet(
        language=reader.language,
        tone=Tone.BAD,
        headline=claim.refused_title,
        opening=(*_greeting(reader, words), reason),
        cards=(_claim_card(facts, reader, words, due=False),),
        closing=(claim.refused_closing,),
    )


def _claim_card(facts: ClaimFacts, reader: Reader, words: Words, *, due: bool = True) -> Card:
    claim, zone, language = words.claim, reader.timezone, reader.language
    made = claim.in_time if facts.opened_at <= facts.deadline else claim.late
    outage = claim.began.format(
        outage=facts.outage,
        check=one_line(facts.check),
        server=one_line(facts.server),
        began=instant(facts.began, zone, language),
    )
    last = deadline(facts.deadline, zone, language)
    rows = [
        Fact(claim.subscription, one_line(facts.subscription)),
        Fact(claim.outage, outage),
        Fact(claim.made, made.format(made=instant(facts.opened_at, zone, language), deadline=last)),
    ]
    if due:
        rows.append(Fact(claim.due, deadline(facts.answer_due, zone, language)))
    return Card(title=claim.claim.format(claim=facts.claim), facts=tuple(rows))


def _records_card(records: Records, reader: Reader, words: Words) -> Card:
    claim = words.claim
    facts = (
        Fact(claim.entry, str(records.entry)),
        Fact(claim.hash, records.hash),
        Fact(claim.as_of, instant(records.at, reader.timezone, reader.language)),
    )
    return Card(title=claim.records, facts=facts, remarks=(claim.evidence,))


def _greeting(reader: Reader, words: Words) -> tuple[str, ...]:
    return (words.outage.greeting.format(name=one_line(reader.name)),) if reader.name else ()
