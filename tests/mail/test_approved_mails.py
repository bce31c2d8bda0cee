"""Every sample mail is, word for word, the one that was approved."""

from __future__ import annotations

import difflib

import pytest

from tests.mail import approved_mails
from tests.mail.approved_mails import APPROVED, rendered_mails

MAILS = rendered_mails()


@pytest.mark.parametrize("path", MAILS)
def test_a_mail_is_the_approved_one(path: str) -> None:
    file = APPROVED / path
    approved = file.read_text("utf-8") if file.exists() else ""
    if MAILS[path] != approved:
        changes = difflib.unified_diff(
            approved.splitlines(), MAILS[path].splitlines(), f"approved/{path}", "rendered", lineterm=""
        )
        pytest.fail(
            "\n".join(changes) + f"\n\nTo accept the change: python -m {approved_mails.__name__}", pytrace=False
        )


def test_every_approved_mail_has_its_sample() -> None:
    assert {str(file.relative_to(APPROVED)) for file in APPROVED.glob("*/*.txt")} == set(MAILS)
