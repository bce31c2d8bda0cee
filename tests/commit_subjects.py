"""``python -m tests.commit_subjects``: the subjects of new commits are ``area: imperative`` within 72 characters."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RULE_SINCE = "da1e5db"
"""The last commit before the rule."""
MAX_LENGTH = 72
SUBJECT = re.compile(r"[a-z0-9_, /-]+: \S.*[^.\s]")


def faults(subjects: Iterable[str]) -> list[str]:
    """Name each subject that breaks the rule, and why."""
    found = []
    for subject in subjects:
        if len(subject) > MAX_LENGTH:
            found.append(f"{len(subject)} characters, {MAX_LENGTH} at most: {subject}")
        elif not SUBJECT.fullmatch(subject):
            found.append(f"not `area: imperative`, without a full stop: {subject}")
    return found


def new_subjects(folder: Path | None = None) -> list[str]:
    """Subjects since the rule, without merges; in a shallow clone those since ``origin/main``; none without git."""
    for base in (RULE_SINCE, "origin/main"):
        try:
            done = subprocess.run(
                ["git", "log", "--no-merges", "--format=%s", f"{base}..HEAD"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            return []
        if done.returncode == 0:
            return done.stdout.splitlines()
    return []


def main() -> int:
    """Print every fault; 1 if there is one."""
    found = faults(new_subjects())
    for fault in found:
        sys.stderr.write(f"commit subject: {fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
