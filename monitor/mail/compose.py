"""From what there is to tell to the words that tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.mail.letters import AnyLetter, Letter


def compose(letter: AnyLetter) -> Letter:
    """Return the letter in its reader's language; pure, the same letter for the same context."""
    raise NotImplementedError
