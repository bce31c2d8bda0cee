"""The letters about claims: one that is refused, and the answer with every figure and its clause (6.2, 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.formatting import (
    MAX_SUBJECT_LENGTH,
    format_deadline,
    format_decimal,
    format_duration,
    format_instant,
    format_month,
    format_percent,
    one_line,
    truncate,
)
from monitor.mail.rendering.layout import Card, Entry, Fact, Sheet, Tone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.mail.content import (
        ClaimAnswerMail,
        ClaimDetails,
        ClaimExclusion,
        ClaimMonth,
        ClaimOutage,
        ClaimRefusalMail,
        LedgerSnapshot,
        Recipient,
    )
    from monitor.mail.languages.catalog import Words
    from monitor.model import Language


# --- the figures of an answer, month by month -------------------------------------------------------------------------

MOST_OUTAGES: Final = 60
"""So many are told one by one: a mail stays below the size at which mail programs cut it."""


def verdict(each: ClaimMonth, reader: Recipient, words: Words) -> Iterator[str]:
    """Yield in words what a month comes to, that it is provisional, that it is not certain."""
    claim, language = words.claim, reader.language
    if each.availability is None:
        sentence = claim.not_measured
    elif each.percent != "0":
        sentence = claim.credited if each.final else claim.would_be_credited
    else:
        sentence = claim.target_met if each.target_met else claim.unpaid
    yield sentence.format(
        month=_label(each, language, words),
        availability=_shown(each.availability, language, words),
        percent=format_percent(each.percent, language),
        amount=_amount(each, language, words),
        credited_in=format_month(each.credited_in, language),
        clause=each.clause,
        target=format_percent(each.target, language),
        floor=format_percent(each.floor, language),
    )
    if not each.certain:
        yield claim.uncertain.format(
            lowest=format_percent(each.percent_lowest, language),
            highest=format_percent(each.percent_highest, language),
            clause=each.clause,
        )
    if not each.final:
        until = format_instant(each.until, reader.timezone, language)
        yield claim.provisional.format(month=format_month(each.month, language), until=until)


def month_card(each: ClaimMonth, reader: Recipient, words: Words) -> Card:
    """Return the month's accounts and its credit, every figure with its clause."""
    facts = (*_accounts(each, reader.language, words), *_credit(each, reader.language, words))
    return Card(title=_label(each, reader.language, words), facts=facts, remarks=tuple(_closing(each, reader, words)))


def _closing(each: ClaimMonth, reader: Recipient, words: Words) -> Iterator[str]:
    if each.closed is None:
        return

    def at(moment: int) -> str:
        return format_instant(moment, reader.timezone, reader.language)

    yield words.claim.closed.format(at=at(each.closed.at), entry=each.closed.entry)
    for one in each.closed.corrections:
        yield words.claim.corrected.format(at=at(one.at), entry=one.entry, why=one_line(one.why))


def _accounts(each: ClaimMonth, language: Language, words: Words) -> Iterator[Fact]:
    claim = words.claim
    met = {True: words.outage.met, False: words.outage.missed, None: words.outage.open}[each.target_met]
    yield Fact(claim.availability.format(clause=each.clause), _bounded(each, language, words))
    yield Fact(claim.target.format(clause=each.clause), f"{format_percent(each.target, language)}: {met}")
    experienced = _shown(each.experienced, language, words)
    if each.experienced is not None:
        experienced = claim.nothing_taken_out.format(figure=experienced)
    yield Fact(claim.experienced, experienced)
    yield Fact(claim.coverage, _shown(each.coverage, language, words))
    yield Fact(claim.down.format(clause=each.clause), format_duration(each.down, language))
    yield Fact(claim.excluded, format_duration(each.excluded, language))
    yield Fact(claim.unknown, format_duration(each.unknown, language))


def _credit(each: ClaimMonth, language: Language, words: Words) -> Iterator[Fact]:
    claim = words.claim
    if each.availability is not None:
        yield Fact(claim.band.format(clause=each.clause), _band(each, language, words))
    yield Fact(claim.fee, _fee(each, language, words))
    amount = _amount(each, language, words)
    yield Fact(claim.credit, claim.readings.format(credit=amount, percent=format_percent(each.percent, language)))
    lowest, highest = format_percent(each.percent_lowest, language), format_percent(each.percent_highest, language)
    certain = claim.yes if each.certain else claim.no.format(lowest=lowest, highest=highest)
    yield Fact(claim.certain.format(clause=each.clause), certain)
    if each.percent != "0":
        yield Fact(claim.credited_in, format_month(each.credited_in, language))


def outage_card(each: ClaimMonth, claimed: int, reader: Recipient, words: Words) -> Card:
    """Return the month's outages with their lengths and bounds; the one that is claimed stands first if not all fit."""
    claim = words.claim
    shown = each.outages
    if len(shown) > MOST_OUTAGES:
        shown = tuple(sorted(shown, key=lambda one: one.id != claimed))[:MOST_OUTAGES]
    remarks = [claim.whole] if shown else [claim.no_outages]
    if left := len(each.outages) - len(shown):
        remarks.insert(0, claim.more_outages.format(count=left))
    return Card(
        title=claim.outages.format(month=_label(each, reader.language, words)),
        entries=tuple(_outage(one, claimed, reader, words) for one in shown),
        remarks=tuple(remarks),
    )


def _outage(one: ClaimOutage, claimed: int, reader: Recipient, words: Words) -> Entry:
    language, told = reader.language, words.outage
    server, check = one_line(one.server), one_line(one.check)
    name = words.claim.claimed.format(server=server, check=check) if one.id == claimed else f"{server} / {check}"
    end = words.claim.still_open if one.end is None else format_instant(one.end, reader.timezone, language)
    length = told.bounds.format(
        counted=format_duration(one.counted, language),
        least=format_duration(one.least, language),
        most=format_duration(one.most, language),
    )
    facts = [
        Fact(told.start, format_instant(one.start, reader.timezone, language)),
        Fact(told.end, end),
        Fact(told.length, length),
    ]
    if one.excluded:
        excluded = told.excluded_note.format(length=format_duration(one.excluded, language))
        facts.append(Fact(told.excluded, excluded))
    return Entry(Tone.BAD, words.claim.outage_word.format(outage=one.id), name, tuple(facts))


def exclusion_card(each: ClaimMonth, reader: Recipient, words: Words) -> Card:
    """Return what was taken out of the month: clause, record, length, reason; and what could not be, for its notice."""
    claim, language = words.claim, reader.language
    facts = tuple(
        Fact(f"{one.clause}: {_reference(one.reference, words)}", _excluded(one, language, words))
        for one in each.exclusions
    )
    return Card(
        title=claim.excluded_card.format(month=_label(each, language, words)),
        facts=facts,
        remarks=() if facts else (claim.nothing_excluded,),
    )


def _excluded(one: ClaimExclusion, language: Language, words: Words) -> str:
    reason = one_line(one.reason)
    if one.short_by:
        return words.claim.too_late.format(reason=reason, short=format_duration(one.short_by, language, days=False))
    return f"{format_duration(one.length, language)}: {reason}" if reason else format_duration(one.length, language)


def _reference(reference: str, words: Words) -> str:
    kind, _, number = one_line(reference).rpartition(" ")
    known = words.claim.references.get(kind)
    return known.format(number=number) if known else one_line(reference)


def decision_card(months: tuple[ClaimMonth, ...], words: Words) -> Card:
    """Return how the agreement was read where it is silent, each once."""
    told = words.claim.decisions
    lines: dict[str, None] = {}
    for each in months:
        for one in each.decisions:
            sentence = told.get(f"{one.setting}={one.value}") or told.get(one.setting, f"{one.setting}: {{value}}")
            lines[f"{sentence.format(value=one_line(one.value))} ({one.clause})"] = None
    return Card(title=words.claim.decisions_card, facts=tuple(Fact("", line) for line in lines))


def _label(each: ClaimMonth, language: Language, words: Words) -> str:
    label = format_month(each.month, language)
    return label if each.final else words.claim.so_far.format(month=label)


def _shown(figure: str | None, language: Language, words: Words) -> str:
    return words.claim.none if figure is None else format_percent(figure, language)


def _bounded(each: ClaimMonth, language: Language, words: Words) -> str:
    figure = _shown(each.availability, language, words)
    if each.availability is None or each.lowest == each.highest == each.availability:
        return figure
    lowest, highest = _shown(each.lowest, language, words), _shown(each.highest, language, words)
    return words.claim.bounds.format(availability=figure, lowest=lowest, highest=highest)


def _band(each: ClaimMonth, language: Language, words: Words) -> str:
    claim, rate = words.claim, format_percent(each.percent, language)
    if each.band_from is None:
        return claim.band_to.format(upper=_shown(each.band_to, language, words), percent=rate)
    lower = format_percent(each.band_from, language)
    if each.band_to is None:
        return claim.band_from.format(lower=lower)
    return claim.band_between.format(lower=lower, upper=format_percent(each.band_to, language), percent=rate)


def _fee(each: ClaimMonth, language: Language, words: Words) -> str:
    if each.fee is None:
        return words.claim.no_fee
    fee = f"{format_decimal(each.fee, language)} {each.currency or ''}".rstrip()
    if each.fee_months == 1:
        return fee
    return words.claim.fee_divided.format(fee=fee, months=each.fee_months)


def _amount(each: ClaimMonth, language: Language, words: Words) -> str:
    if each.amount is None:
        return words.claim.by_invoice if each.percent != "0" else words.notice.no_credit
    return f"{format_decimal(each.amount, language)} {each.currency or ''}".rstrip()


_NO_CHECK: Final = "-"


def answer_subject(letter: ClaimAnswerMail, words: Words) -> str:
    """Return the subject: credit or none, its rate, the service."""
    answer, claim = letter.answer, words.claim
    if not answer.positive:
        return _subject(claim.denied if answer.final else claim.denied_so_far, answer.claim)
    highest = max((each.percent for each in answer.months), key=int)
    sentence = claim.granted if answer.final else claim.granted_so_far
    return _subject(sentence, answer.claim, format_percent(highest, letter.recipient.language))


def refusal_subject(letter: ClaimRefusalMail, words: Words) -> str:
    """Return the subject: that it is refused, and for which service."""
    return _subject(words.claim.refused, letter.claim)


def _subject(sentence: str, claim: ClaimDetails, rate: str = "") -> str:
    name = one_line(claim.subscription)
    room = MAX_SUBJECT_LENGTH - len(sentence.format(percent=rate, subscription="", claim=claim.claim))
    return sentence.format(percent=rate, subscription=truncate(name, room), claim=claim.claim)


def answer_sheet(letter: ClaimAnswerMail, words: Words) -> Sheet:
    """Return the answer: the verdict in words, the claim, each month with all its figures, how it can be proven."""
    reader, answer, claim = letter.recipient, letter.answer, words.claim
    opening = [claim.examined.format(made=format_instant(answer.claim.opened_at, reader.timezone, reader.language))]
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


def refusal_sheet(letter: ClaimRefusalMail, words: Words) -> Sheet:
    """Return why the claim is refused, with its deadline and the clause."""
    reader, facts, claim = letter.recipient, letter.claim, words.claim
    made = format_instant(facts.opened_at, reader.timezone, reader.language)
    if letter.reason == "late":
        last = format_deadline(facts.deadline, reader.timezone, reader.language)
        reason = claim.refused_late.format(made=made, deadline=last)
    else:
        reason = claim.refused_not_measured.format(
            made=made,
            measured=", ".join(one_line(name) for name in letter.measured_checks) or _NO_CHECK,
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


def _claim_card(facts: ClaimDetails, reader: Recipient, words: Words, *, due: bool = True) -> Card:
    claim, zone, language = words.claim, reader.timezone, reader.language
    made = claim.in_time if facts.opened_at <= facts.deadline else claim.late
    outage = claim.began.format(
        outage=facts.outage,
        check=one_line(facts.check),
        server=one_line(facts.server),
        began=format_instant(facts.began, zone, language),
    )
    last = format_deadline(facts.deadline, zone, language)
    rows = [
        Fact(claim.subscription, one_line(facts.subscription)),
        Fact(claim.outage, outage),
        Fact(claim.made, made.format(made=format_instant(facts.opened_at, zone, language), deadline=last)),
    ]
    if due:
        rows.append(Fact(claim.due, format_deadline(facts.answer_due, zone, language)))
    return Card(title=claim.claim.format(claim=facts.claim), facts=tuple(rows))


def _records_card(records: LedgerSnapshot, reader: Recipient, words: Words) -> Card:
    claim = words.claim
    facts = (
        Fact(claim.entry, str(records.entry)),
        Fact(claim.hash, records.hash),
        Fact(claim.as_of, format_instant(records.at, reader.timezone, reader.language)),
    )
    return Card(title=claim.records, facts=facts, remarks=(claim.evidence,))


def _greeting(reader: Recipient, words: Words) -> tuple[str, ...]:
    return (words.outage.greeting.format(name=one_line(reader.name)),) if reader.name else ()
