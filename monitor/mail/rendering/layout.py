"""A letter's content between words and looks, and its two looks: text and HTML.

A sheet has cards (a server, a window, a subscription), a card has entries (one check's news) and remarks. The two
templates know nothing of languages or outages, and no wording stands in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jinja2 import Environment

    from monitor.model import Language


class Tone(StrEnum):
    """What a headline or an entry says by its colour, beside its words."""

    BAD = "bad"
    GOOD = "good"
    WARNING = "warning"
    NEUTRAL = "neutral"


class Fact(NamedTuple):
    """A label and its value, on one line."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of news: its state word in colour, what it is about, and the facts."""

    tone: Tone
    word: str
    name: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """What belongs together, under one title."""

    title: str
    entries: tuple[Entry, ...] = ()
    facts: tuple[Fact, ...] = ()
    remarks: tuple[str, ...] = ()
    behind: str = ""
    """What stands above the children."""
    children: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole letter."""

    language: Language
    tone: Tone
    headline: str
    opening: tuple[str, ...]
    cards: tuple[Card, ...] = ()
    closing: tuple[str, ...] = ()
    look: str = ""
    """What stands before the address to look at; empty where there is none."""
    url: str = ""
    footer: tuple[str, ...] = ()


def as_text(sheet: Sheet) -> str:
    """Return the letter's text part."""
    return _templates().get_template("letter.txt").render(sheet=sheet).strip() + "\n"


def as_html(sheet: Sheet) -> str:
    """Return the letter's HTML part: every value escaped, nothing fetched from anywhere."""
    link = sheet.url.startswith(("https://", "http://"))
    return _templates().get_template("letter.html").render(sheet=sheet, link=link).strip() + "\n"


@cache
def _templates() -> Environment:
    # most commands compose no letter, and start the sooner
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape  # noqa: PLC0415

    return Environment(
        loader=PackageLoader("monitor.mail", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
