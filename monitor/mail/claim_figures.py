"""The figures of an answer to a claim, month by month: the verdict, the accounts, outages, exclusions, decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.formatting import decimal, duration, instant, month, percent
from monitor.mail.rendering.layout import Card, Entry, Fact, Tone
from monitor.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.mail.claim_letters import ClaimExclusion, ClaimMonth, ClaimOutage
    from monitor.mail.content import Reader
    from monitor.mail.languages.catalog import Words
    from monitor.model import Language

MOST_OUTAGES: Final = 60
"""So many are told one by one: a mail stays below the size at which mail programs cut it."""


def verdict(each: ClaimMonth, reader: Reader, words: Words) -> Iterator[str]:
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
        percent=percent(each.percent, language),
        amount=_amount(each, language, words),
        credited_in=month(each.credited_in, language),
        clause=each.clause,
        target=percent(each.target, language),
        floor=percent(each.floor, language),
    )
    if not each.certain:
        yield claim.uncertain.format(
            lowest=percent(each.percent_lowest, language),
            highest=percent(each.percent_highest, language),
            clause=each.clause,
        )
    if not each.final:
        until = instant(each.until, reader.timezone, language)
        yield claim.provisional.format(month=month(each.month, language), until=until)


def month_card(each: ClaimMonth, reader: Reader, words: Words) -> Card:
    """Return the month's accounts and its credit, every figure with its clause."""
    facts = (*_accounts(each, reader.language, words), *_credit(each, reader.language, words))
    return Card(title=_label(each, reader.language, words), facts=facts, remarks=tuple(_closing(each, reader, words)))


def _closing(each: ClaimMonth, reader: Reader, words: Words) -> Iterator[str]:
    if each.closed is None:
        return

    def at(moment: int) -> str:
        return instant(moment, reader.timezone, reader.language)

    yield words.claim.closed.format(at=at(each.closed.at), entry=each.closed.entry)
    for one in each.closed.corrections:
        yield words.claim.corrected.format(at=at(one.at), entry=one.entry, why=one_line(one.why))


def _accounts(each: ClaimMonth, language: Language, words: Words) -> Iterator[Fact]:
    claim = words.claim
    met = {True: words.outage.met, False: words.outage.missed, None: words.outage.open}[each.target_met]
    yield Fact(claim.availability.format(clause=each.clause), _bounded(each, language, words))
    yield Fact(claim.target.format(clause=each.clause), f"{percent(each.target, language)}: {met}")
    experienced = _shown(each.experienced, language, words)
    if each.experienced is not None:
        experienced = claim.nothing_taken_out.format(figure=experienced)
    yield Fact(claim.experienced, experienced)
    yield Fact(claim.coverage, _shown(each.coverage, language, words))
    yield Fact(claim.down.format(clause=each.clause), duration(each.down, language))
    yield Fact(claim.excluded, duration(each.excluded, language))
    yield Fact(claim.unknown, duration(each.unknown, language))


def _credit(each: ClaimMonth, language: Language, words: Words) -> Iterator[Fact]:
    claim = words.claim
    if each.availability is not None:
        yield Fact(claim.band.format(clause=each.clause), _band(each, language, words))
    yield Fact(claim.fee, _fee(each, language, words))
    amount = _amount(each, language, words)
    yield Fact(claim.credit, claim.readings.format(credit=amount, percent=percent(each.percent, language)))
    lowest, highest = percent(each.percent_lowest, language), percent(each.percent_highest, language)
    certain = claim.yes if each.certain else claim.no.format(lowest=lowest, highest=highest)
    yield Fact(claim.certain.format(clause=each.clause), certain)
    if each.percent != "0":
        yield Fact(claim.credited_in, month(each.credited_in, language))


def outage_card(each: ClaimMonth, claimed: int, reader: Reader, words: Words) -> Card:
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


def _outage(one: ClaimOutage, claimed: int, reader: Reader, words: Words) -> Entry:
    language, told = reader.language, words.outage
    server, check = one_line(one.server), one_line(one.check)
    name = words.claim.claimed.format(server=server, check=check) if one.id == claimed else f"{server} / {check}"
    end = words.claim.still_open if one.end is None else instant(one.end, reader.timezone, language)
    length = told.bounds.format(
        counted=duration(one.counted, language),
        least=duration(one.least, language),
        most=duration(one.most, language),
    )
    facts = [
        Fact(told.start, instant(one.start, reader.timezone, language)),
        Fact(told.end, end),
        Fact(told.length, length),
    ]
    if one.excluded:
        excluded = told.excluded_note.format(length=duration(one.excluded, language))
        facts.append(Fact(told.excluded, excluded))
    return Entry(Tone.BAD, words.claim.outage_word.format(outage=one.id), name, tuple(facts))


def exclusion_card(each: ClaimMonth, reader: Reader, words: Words) -> Card:
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
        return words.claim.too_late.format(reason=reason, short=duration(one.short_by, language, days=False))
    return f"{duration(one.length, language)}: {reason}" if reason else duration(one.length, language)


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
    label = month(each.month, language)
    return label if each.final else words.claim.so_far.format(month=label)


def _shown(figure: str | None, language: Language, words: Words) -> str:
    return words.claim.none if figure is None else percent(figure, language)


def _bounded(each: ClaimMonth, language: Language, words: Words) -> str:
    figure = _shown(each.availability, language, words)
    if each.availability is None or each.lowest == each.highest == each.availability:
        return figure
    lowest, highest = _shown(each.lowest, language, words), _shown(each.highest, language, words)
    return words.claim.bounds.format(availability=figure, lowest=lowest, highest=highest)


def _band(each: ClaimMonth, language: Language, words: Words) -> str:
    claim, rate = words.claim, percent(each.percent, language)
    if each.band_from is None:
        return claim.band_to.format(upper=_shown(each.band_to, language, words), percent=rate)
    lower = percent(each.band_from, language)
    if each.band_to is None:
        return claim.band_from.format(lower=lower)
    return claim.band_between.format(lower=lower, upper=percent(each.band_to, language), percent=rate)


def _fee(each: ClaimMonth, language: Language, words: Words) -> str:
    if each.fee is None:
        return words.claim.no_fee
    fee = f"{decimal(each.fee, language)} {each.currency or ''}".rstrip()
    if each.fee_months == 1:
        return fee
    return words.claim.fee_divided.format(fee=fee, months=each.fee_months)


def _amount(each: ClaimMonth, language: Language, words: Words) -> str:
    if each.amount is None:
        return words.claim.by_invoice if each.percent != "0" else words.notice.no_credit
    return f"{decimal(each.amount, language)} {each.currency or ''}".rstrip()
