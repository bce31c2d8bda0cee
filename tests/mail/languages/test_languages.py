"""Both languages say everything, and Turkish is written in Turkish letters."""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Iterator, Mapping

import pytest

from monitor.mail.content import OperatorNews
from monitor.mail.rendering.compose import WORDS
from monitor.model import Reason, State


def sentences(words: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every sentence of a language with where it stands."""
    if isinstance(words, str):
        yield path, words
    elif isinstance(words, Mapping):
        for key, value in words.items():
            yield from sentences(value, f"{path}[{key}]")
    elif isinstance(words, tuple):
        for number, value in enumerate(words):
            yield from sentences(value, f"{path}.{number}")
    elif dataclasses.is_dataclass(words):
        for field in dataclasses.fields(words):
            yield from sentences(getattr(words, field.name), f"{path}.{field.name}")
    else:
        pytest.fail(f"{path} is neither words nor a group of words")


def told() -> tuple[dict[str, str], dict[str, str]]:
    """Give both languages' sentences."""
    english, turkish = (dict(sentences(WORDS[language])) for language in WORDS)
    return english, turkish


def places(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def test_both_languages_have_the_same_sentences() -> None:
    english, turkish = told()
    assert list(english) == list(turkish)
    assert len(english) > 100


def test_a_sentence_has_the_same_places_in_both_languages() -> None:
    english, turkish = told()
    assert {path: places(text) for path, text in english.items()} == {
        path: places(text) for path, text in turkish.items()
    }


def test_no_sentence_is_empty_or_left_in_the_other_language() -> None:
    english, turkish = told()
    assert all(text.strip() for text in [*english.values(), *turkish.values()])
    assert [path for path in english if english[path] == turkish[path] and path != ".outage.now"] == []


@pytest.mark.parametrize("language", ["tr", "en"])
def test_every_state_and_every_piece_of_news_has_its_words(language: str) -> None:
    words = WORDS["tr" if language == "tr" else "en"]
    assert set(words.outage.states) == set(State)
    assert set(words.outage.reasons) == set(Reason)
    assert set(words.notice.news) == set(OperatorNews)
    changes = ("announced", "extended", "shortened", "cancelled")
    both = {(change, kind) for change in changes for kind in ("planned", "emergency")}
    assert set(words.maintenance.words) == both
    assert set(words.maintenance.titles) == both
    assert set(words.maintenance.openings) == set(changes)


def test_turkish_capitals_keep_their_dots() -> None:
    outage, maintenance = WORDS["tr"].outage, WORDS["tr"].maintenance
    assert (outage.down, outage.up) == ("KESİNTİ", "DÜZELDİ")
    assert (outage.flapping, outage.settled) == ("KARARSIZ", "KARARLI")
    assert maintenance.words["announced", "emergency"] == "ACİL BAKIM"
    assert maintenance.words["cancelled", "planned"] == "BAKIM İPTAL"


def test_turkish_is_written_in_single_letters_that_every_program_shows() -> None:
    _, turkish = told()
    assert {c for text in turkish.values() for c in text if not c.isascii()} <= set("çğıöşüÇĞİÖŞÜ")
