"""What ``make lint`` says of commit subjects."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.commit_subjects import MAX_LENGTH, faults, new_subjects

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "subject",
    [
        "mail: render letters with Jinja2 templates",
        "probes, engine: share one ICMP socket",
        "docs/contract: name every module of sla/",
        "tests: " + "x" * (MAX_LENGTH - len("tests: ")),
    ],
)
def test_a_short_imperative_with_its_area_is_accepted(subject: str) -> None:
    assert faults([subject]) == []


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("Let another caller take the place of one that was refused too early", "area"),
        ("mail: render letters.", "full stop"),
        ("mail:render letters", "area"),
        ("tests: " + "x" * MAX_LENGTH, "79 characters"),
        ("", "area"),
    ],
)
def test_any_other_subject_is_a_fault(subject: str, why: str) -> None:
    (fault,) = faults([subject])
    assert why in fault


def test_without_a_repository_there_are_no_new_subjects(tmp_path: Path) -> None:
    assert new_subjects(tmp_path) == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed (apt install git)")
def test_without_the_old_history_the_subjects_since_origin_main_are_new(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "--message", "An old subject")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    git("commit", "--allow-empty", "--message", "tests: add one")
    assert new_subjects(tmp_path) == ["tests: add one"]
