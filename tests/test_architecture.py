"""Rules on the shape of the code that no linter knows; ``lint-imports`` checks which way its arrows point."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

REPOSITORY = Path(__file__).parents[1]
MODULES = sorted(REPOSITORY.glob("monitor/**/*.py"))
LONGEST = 500
"""Lines of a module. One idea a file: nobody splits a file for the sake of this number."""
LONGEST_TEST_NAME = 80
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "base", "common", "manager", "misc"}


def _names(files: Iterable[Path]) -> list[str]:
    return [str(file.relative_to(REPOSITORY)) for file in files]


def test_the_modules_were_found() -> None:
    assert len(MODULES) > 10


def test_a_module_can_be_read_in_one_sitting() -> None:
    assert _names(module for module in MODULES if len(module.read_text().splitlines()) > LONGEST) == []


def test_a_module_is_named_after_what_is_in_it() -> None:
    assert _names(module for module in MODULES if module.stem in NAMES_THAT_SAY_NOTHING) == []


def test_a_module_says_first_what_it_is_for() -> None:
    assert _names(module for module in MODULES if not module.read_text().startswith('"""')) == []


def test_nothing_in_the_tests_is_patched() -> None:
    patching = ("unittest" + ".mock", "monkeypatch" + ".setattr")
    tests = REPOSITORY.glob("tests/**/*.py")
    assert _names(test for test in tests if any(word in test.read_text() for word in patching)) == []


def test_a_test_is_named_in_a_short_sentence() -> None:
    tests = REPOSITORY.glob("tests/**/test_*.py")
    names = [name for test in tests for name in re.findall(r"def (test_\w+)", test.read_text())]
    assert [name for name in names if len(name) > LONGEST_TEST_NAME] == []


def test_no_test_module_imports_from_another_one() -> None:
    importing = re.compile(r"^\s*(from|import) tests\.([\w.]+\.)?test_", re.MULTILINE)
    assert _names(test for test in REPOSITORY.glob("tests/**/*.py") if importing.search(test.read_text())) == []
