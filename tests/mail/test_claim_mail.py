"""The letters about claims: every figure with its clause, in both languages, as text and as HTML."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from monitor.formatting import MAX_SUBJECT_LENGTH
from monitor.mail.claim_content import (
    ClaimAnswerMail,
    ClaimClosing,
    ClaimCorrection,
    ClaimExclusion,
    ClaimMonth,
    ClaimRefusalMail,
)
from monitor.mail.compose import compose
from tests.mail.sample_mails import ANSWER, CLAIM, DAY, DEADLINE, ENGLISH, HASH, HOUR, MONTH, OUTAGE, START, TURKISH

if TYPE_CHECKING:
    from monitor.mail.content import Recipient, RenderedMail


def answered(
    reader: Recipient, month: ClaimMonth = MONTH, *, positive: bool = True, final: bool = True
) -> RenderedMail:
    return compose(ClaimAnswerMail(reader, replace(ANSWER, months=(month,), positive=positive, final=final)))


def both(letter: RenderedMail) -> tuple[str, str]:
    """The letter as text and as a reader of the HTML sees it, on one line each."""
    seen = html.unescape(re.sub(r"<[^>]+>", " ", letter.html.split("</head>")[1]))
    return " ".join(letter.text.split()), " ".join(seen.split())


@pytest.mark.parametrize(
    ("reader", "figures"),
    [
        (
            ENGLISH,
            [
                *(
                    "98.98 % (at least 98.97 %, at most 98.99 %)",
                    "99.75 %: missed",
                    "98.84 %",
                    "99.93 %",
                    "7 h",
                    "3 min",
                ),
                *("98.01 % to 98.99 %: 10 % of the monthly fee", "49.90 USD", "4.99 USD (10 %)", "November 2026"),
                *("8 h (at least 7 h 59 min, at most 8 h 1 min)", "1 h: wrong firewall rule", "4.3: exclusion 3"),
                *("Availability (5.2.2)", "Target (5.2.2)", "Band (5.2.2)", "Coverage (8.2)", "Credit (6.4)", "(6.6)"),
                *("812", HASH, "conclusive evidence (clause 6.3)", "(clause 6.5)", "2026-10-06 24:00 (6.2)"),
            ],
        ),
        (
            TURKISH,
            [
                *("%98,98 (en az %98,97, en çok %98,99)", "%99,75: sağlanamadı", "%98,84", "%99,93", "7 sa", "3 dk"),
                *("%98,01 - %98,99: kredi oranı %10", "49,90 USD", "4,99 USD (oran %10)", "Kasım 2026"),
                *("8 sa (en az 7 sa 59 dk, en çok 8 sa 1 dk)", "1 sa: wrong firewall rule", "4.3: hariç tutma 3"),
                *("Erişilebilirlik (5.2.2)", "Hedef (5.2.2)", "Dilim (5.2.2)", "(8.2)", "Kredi (6.4)", "(6.6)"),
                *("812", HASH, "kesin delil niteliğindedir (madde 6.3)", "(madde 6.5)", "06.10.2026 24:00 (6.2)"),
            ],
        ),
    ],
)
def test_an_answer_has_every_figure_with_its_clause(reader: Recipient, figures: list[str]) -> None:
    for part in both(answered(reader)):
        assert [figure for figure in figures if figure not in part] == []


@pytest.mark.parametrize(
    ("reader", "positive", "final", "subject"),
    [
        (ENGLISH, True, True, "CREDIT 10 % for acme-web-01 (claim 5)"),
        (ENGLISH, True, False, "CREDIT SO FAR 10 % for acme-web-01 (claim 5)"),
        (ENGLISH, False, True, "NO CREDIT for acme-web-01 (claim 5)"),
        (ENGLISH, False, False, "NO CREDIT SO FAR for acme-web-01 (claim 5)"),
        (TURKISH, True, True, "KREDİ %10: acme-web-01 (talep 5)"),
        (TURKISH, True, False, "ŞİMDİLİK KREDİ %10: acme-web-01 (talep 5)"),
        (TURKISH, False, True, "KREDİ YOK: acme-web-01 (talep 5)"),
        (TURKISH, False, False, "ŞİMDİLİK KREDİ YOK: acme-web-01 (talep 5)"),
    ],
)
def test_the_subject_says_what_the_answer_is(reader: Recipient, subject: str, *, positive: bool, final: bool) -> None:
    assert answered(reader, positive=positive, final=final).subject == subject


@pytest.mark.parametrize("reader", [ENGLISH, TURKISH])
def test_a_long_name_is_cut_in_the_subject_and_whole_in_the_letter(reader: Recipient) -> None:
    claim = replace(CLAIM, subscription="a" * 100)
    letter = compose(ClaimAnswerMail(reader, replace(ANSWER, claim=claim, final=False)))
    assert len(letter.subject) == MAX_SUBJECT_LENGTH
    assert "a" * 100 in letter.text


@pytest.mark.parametrize(
    ("change", "english", "turkish"),
    [
        ({"percent": "0", "availability": "99.80", "target_met": True}, "meets the target", "hedefi sağlandığından"),
        (
            {"percent": "0", "availability": "99.50"},
            "credit is due only below 99.00 %, so none is due (clause 5.2.2)",
            "kredi yalnızca %99,00 altında verildiğinden kredi hakkı doğmamıştır (madde 5.2.2)",
        ),
        (
            {"percent": "0", "availability": None, "lowest": None, "highest": None, "target_met": None},
            "nothing was measured that counts",
            "hesaba katılan bir ölçüm bulunmadığından",
        ),
        (
            {"certain": False, "percent_highest": "0"},
            "at the lower bound of the availability it is 10 %, at the upper bound 0 %",
            "erişilebilirliğin alt sınırında %10, üst sınırında %0 olur",
        ),
        ({"final": False}, "October 2026 is not over: this answer is provisional", "bu yanıt geçicidir"),
        (
            {"closed": ClaimClosing(900, START, (ClaimCorrection(950, START + DAY, "exclusion 3"),))},
            "(journal entry 900). Corrected later, at 2026-10-03 13:00 (journal entry 950): exclusion 3.",
            "girdisi 900). Sonradan düzeltme: 03.10.2026 13:00 (kayıt defteri girdisi 950): exclusion 3.",
        ),
        (
            {"fee": None, "amount": None, "currency": None},
            "10 % of the monthly fee, by your invoice",
            "faturanıza göre",
        ),
        ({"fee": "120.00", "fee_months": 12}, "120.00 USD for 12 months, divided by 12", "12 aya bölünür"),
        ({"outages": (replace(OUTAGE, end=None),)}, "not over", "sürüyor"),
        ({"outages": ()}, "The checks by which this service is measured had no outages", "kesinti yoktur"),
        ({"exclusions": ()}, "Nothing was excluded (clauses 4.1 to 4.10)", "Hiçbir süre hariç tutulmamıştır"),
        (
            {"exclusions": (ClaimExclusion("4.1", "maintenance 2", "disks", 0, short_by=HOUR),)},
            "4.1: maintenance 2 disks; announced 1 h too late",
            "4.1: bakım 2 disks; 1 sa geç duyurulduğundan",
        ),
        ({"band_from": None, "band_to": "98.00", "percent": "25"}, "98.00 % and below: 25 %", "%98,00 ve altı"),
        ({"band_from": "99.00", "band_to": None, "percent": "0"}, "99.00 % and above: no credit", "%99,00 ve üzeri"),
    ],
)
def test_what_a_month_comes_to_is_said_in_both_languages(change: dict[str, object], english: str, turkish: str) -> None:
    month = replace(MONTH, **change)  # type: ignore[arg-type]
    final = bool(change.get("final", True))
    for reader, told in ((ENGLISH, english), (TURKISH, turkish)):
        text, seen = both(answered(reader, month, positive=month.percent != "0", final=final))
        assert told in text.replace(": disks", " disks")
        assert told in seen


def test_the_note_is_in_the_letter_on_one_line_and_cannot_bring_markup() -> None:
    letter = compose(ClaimAnswerMail(ENGLISH, replace(ANSWER, note="Sorry\r\n<b>indeed</b>")))
    assert "Our remark: Sorry <b>indeed</b>" in " ".join(letter.text.split())
    assert "<b>indeed" not in letter.html


def test_hundreds_of_outages_keep_the_claimed_one_and_leave_the_letter_small() -> None:
    many = tuple(replace(OUTAGE, id=100 + n, start=START + n * HOUR) for n in range(400))
    letter = answered(TURKISH, replace(MONTH, outages=(*many, OUTAGE)))
    assert len(letter.html.encode()) < 100_000
    assert "talebinize konu olan kesinti" in letter.text
    assert "Ve 341 kesinti daha" in letter.text


@pytest.mark.parametrize(
    ("reader", "why", "told"),
    [
        (
            ENGLISH,
            "late",
            "within 2 business days of the problem: for this outage, until 2026-10-06 24:00 (clause 6.2)",
        ),
        (TURKISH, "late", "bu kesinti için son zaman: 06.10.2026 24:00 (madde 6.2)"),
        (ENGLISH, "not-measured", "measured by ping; an outage of site does not lower it (clauses 5.2.2, 4.4, 4.8)"),
        (TURKISH, "not-measured", "ölçülür: ping. site kesintileri bu değeri düşürmez (madde 5.2.2, 4.4, 4.8)"),
    ],
)
def test_a_refusal_says_why_with_its_clause(reader: Recipient, why: Literal["late", "not-measured"], told: str) -> None:
    claim = replace(CLAIM, opened_at=DEADLINE + HOUR) if why == "late" else replace(CLAIM, check="site")
    letter = compose(ClaimRefusalMail(reader, claim, why, ("ping",), "5.2.2, 4.4, 4.8"))
    for part in both(letter):
        assert told in part
    assert letter.subject in ("CLAIM REFUSED: acme-web-01 (claim 5)", "TALEP REDDEDİLDİ: acme-web-01 (talep 5)")
