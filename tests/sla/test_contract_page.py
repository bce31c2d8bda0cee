"""docs/contract.md names a test for each of its examples: those tests exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.sla.interpretations import interpretations_of
from monitor.sla.terms import EXCLUSION_CLAUSES
from tests.sla.terms_examples import TERMS

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "contract.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\.\./)?(?:\w+/)*test_\w+\.py)::(test_\w+)`", PAGE)))


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 60


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_test_that_the_page_names_exists(file: str, test: str) -> None:
    assert f"def {test}(" in (HERE / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", [one.setting for one in interpretations_of(TERMS)])
def test_the_page_lists_every_decision(setting: str) -> None:
    assert f"`{setting}`" in PAGE.split("## Decisions")[1]


@pytest.mark.parametrize("clause", EXCLUSION_CLAUSES)
def test_the_page_speaks_of_every_clause_of_exclusion(clause: str) -> None:
    assert re.search(rf"(?<![\d.]){re.escape(clause)}(?![\d])", PAGE.split("## What does not count")[1])
