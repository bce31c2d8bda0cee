"""What ``make lint`` says of commit subjects."""

from __future__ import annotations

import pytest

from tests.commit_subjects import MAX_LENGTH, faults


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
