"""Both languages have the same mails, with the same facts in them, and Turkish is written in Turkish letters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jinja2 import nodes

import monitor.mail
from monitor.ledger.claims.answers import NON_CREDIT_INTERPRETATIONS
from monitor.mail.compose import TEMPLATES
from monitor.mail.content import OperatorNews
from monitor.mail.environment import environment
from monitor.model import Reason, State
from monitor.sla.interpretations import interpretations_of
from tests.mail.approved_mails import rendered_mails
from tests.sla.terms_examples import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(monitor.mail.__file__).parent / "templates"
NAMES = sorted(file.name for file in FOLDER.glob("en/*.j2"))


def parsed(language: str, name: str) -> nodes.Template:
    return environment(html=False).parse((FOLDER / language / name).read_text("utf-8"))


def chain(node: nodes.Node) -> str:
    """Return ``mail.recipient.name`` for the expression, empty where it is none such."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{chain(node.node)}.{node.attr}"
    return ""


def facts(part: nodes.Node) -> Iterator[str]:
    """Yield each value of the content that a part of a template uses, and each filter that formats one."""
    for value in part.find_all(nodes.Getattr):
        yield chain(value)
    for used in part.find_all(nodes.Filter):
        if used.name not in {"one_line", "upper", "replace"}:
            yield f"| {used.name}"


def facts_by_part(template: nodes.Template) -> dict[str, list[str]]:
    """Return the facts of each block and macro."""
    parts: list[nodes.Block | nodes.Macro] = [*template.find_all(nodes.Block), *template.find_all(nodes.Macro)]
    return {f"{type(part).__name__} {part.name}": sorted(set(facts(part))) for part in parts}


def constants(language: str, name: str, variable: str) -> dict[object, object]:
    """Return a dictionary that a template sets."""
    for each in parsed(language, name).find_all(nodes.Assign):
        if isinstance(each.target, nodes.Name) and each.target.name == variable:
            assert isinstance(each.node, nodes.Dict)
            found = each.node.as_const()
            assert isinstance(found, dict)
            return found
    raise LookupError(variable)


def test_every_kind_of_mail_has_a_template_in_each_language() -> None:
    expected = {"shared.j2", *(f"{name}.j2" for name in TEMPLATES.values())}
    assert {file.name for file in FOLDER.glob("en/*")} == expected
    assert {file.name for file in FOLDER.glob("tr/*")} == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_template_uses_the_same_facts_in_both_languages(name: str) -> None:
    english, turkish = parsed("en", name), parsed("tr", name)
    assert facts_by_part(english) == facts_by_part(turkish)


_MONTHS = {"Eylül": "September", "Ekim": "October", "Kasım": "November", "Şubat": "February"}
_UNITS = {"gün": "d", "sa": "h", "dk": "min", "sn": "s", "days": "d"}
_FIGURE = re.compile(rf"(?:(?:{'|'.join(_MONTHS.values())}) )?(?<![\w-])\d[\d.:-]*(?: (?:d|h|min|s|%|USD)\b)?")
_NAME = re.compile(r"\b(?:\w+-)*(?:web|db|mail|switch|vm)-\w+\b|\bping\b|\bsite\b|\b[0-9a-f]{64}\b|https?://\S+")


def figures(text: str) -> set[str]:
    """Return the dates, percentages, amounts, durations, months, clauses and numbers of a mail in English notation."""
    text = re.sub(r"(\d\d)\.(\d\d)\.(\d{4})", r"\3-\2-\1", text)
    text = re.sub(r"(\d),(\d)", r"\1.\2", text)
    text = re.sub(r"%(\d+(?:\.\d+)?)", r"\1 %", text)
    text = re.sub(r"(\d) (gün|sa|dk|sn|days)(?:at)?(?:l[iü]k)?\b", lambda m: f"{m[1]} {_UNITS[m[2]]}", text)
    text = re.sub("|".join(_MONTHS), lambda m: _MONTHS[m[0]], text)
    return {each.rstrip(".:-") for each in _FIGURE.findall(text)}


@pytest.mark.parametrize("name", sorted({path.partition("/")[2] for path in rendered_mails()}))
def test_a_mail_tells_the_same_facts_in_both_languages(name: str) -> None:
    mails = rendered_mails()
    english, turkish = mails[f"en/{name}"], mails[f"tr/{name}"]
    assert figures(english) == figures(turkish)
    assert set(_NAME.findall(english)) == set(_NAME.findall(turkish))


@pytest.mark.parametrize("language", ["tr", "en"])
def test_every_state_reason_and_news_has_its_words(language: str) -> None:
    assert set(constants(language, "shared.j2", "states")) == set(State)
    assert set(constants(language, "shared.j2", "reasons")) == set(Reason)
    assert set(constants(language, "operator.j2", "words")) == set(OperatorNews)
    assert set(constants(language, "operator.j2", "titles")) == set(OperatorNews)


@pytest.mark.parametrize("language", ["tr", "en"])
def test_every_interpretation_of_an_answer_has_its_sentence(language: str) -> None:
    sentences = constants(language, "claim-answer.j2", "interpretations")
    for one in interpretations_of(TERMS):
        if one.setting not in NON_CREDIT_INTERPRETATIONS:
            assert one.setting in sentences or f"{one.setting}={one.value}" in sentences
    assert {"rounding=down", "rounding=half-up", "credit=on-claim", "credit=automatic"} <= set(sentences)


def test_times_have_no_seconds_and_the_zone_is_named_once_at_the_end() -> None:
    for path, text in rendered_mails().items():
        assert re.findall(r"\d\d:\d\d:\d\d|[+-]\d\d:\d\d", text) == []
        letter, _, end = text.partition("\n-- \n")
        assert end.count("Europe/Istanbul") == 1
        assert "Europe/Istanbul" not in letter or "claim-answer" in path


def test_turkish_capitals_keep_their_dots() -> None:
    mails = rendered_mails()
    subjects = {path: text.splitlines()[0].removeprefix("Subject: ") for path, text in mails.items()}
    for name, start in {
        "outage-started": "KESİNTİ ",
        "outage-ended": "DÜZELDİ ",
        "flapping-started": "KARARSIZ ",
        "flapping-ended-up": "KARARLI ",
        "maintenance-announced-emergency": "ACİL BAKIM ",
        "maintenance-cancelled": "BAKIM İPTAL ",
    }.items():
        assert subjects[f"tr/{name}.txt"].startswith(start)


def test_turkish_is_written_in_single_letters_that_every_program_shows() -> None:
    written = "".join(file.read_text("utf-8") for file in FOLDER.glob("tr/*.j2"))
    assert {letter for letter in written if not letter.isascii()} <= set("çğıöşüÇĞİÖŞÜ")
