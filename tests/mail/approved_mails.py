"""The approved text of every sample mail, in ``approved/<language>/<mail>.txt``.

After an intended change of a mail, write the files anew and read their diff before the commit::

    .venv/bin/python -m tests.mail.approved_mails
    git diff tests/mail/approved
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from monitor.mail.compose import compose
from tests.mail.sample_mails import ENGLISH, TURKISH, sample_mails

APPROVED = Path(__file__).parent / "approved"


@cache
def rendered_mails() -> dict[str, str]:
    """Return the subject and the text of every sample, by its path in the folder."""
    mails = {}
    for recipient in (ENGLISH, TURKISH):
        for name, content in sample_mails(recipient).items():
            mail = compose(content)
            mails[f"{recipient.language}/{name}.txt"] = f"Subject: {mail.subject}\n\n{mail.text}"
    return mails


if __name__ == "__main__":
    for file in APPROVED.glob("*/*.txt"):
        file.unlink()
    for path, text in rendered_mails().items():
        (APPROVED / path).parent.mkdir(parents=True, exist_ok=True)
        (APPROVED / path).write_text(text, "utf-8")
