"""What users hold on to has its heading in docs/, and the documents say what the program says."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from monitor.config import load
from monitor.config.schema import ARRAY_TABLES, SINGLE_TABLES
from monitor.model import Reason
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.settings import CheckSettings
from monitor.web.metrics.page import METRICS
from tests import cli_help

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
README_LINES = 150
LOCK_FILES = {"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock", "pdm.lock"}
_HEADING = re.compile(r"^(#+) +(.*?) *$")
_FENCE = re.compile(r"^```")
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)(?:#[^)]*)?\)")


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading, those that it stands under, and the text up to the next heading."""

    heading: str
    under: tuple[str, ...]
    text: str


def sections(page: Path) -> list[Section]:
    found: list[Section] = []
    chain: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = False
    for line in [*page.read_text().splitlines(), "# "]:
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        if chain:
            found.append(Section(chain[-1][1], tuple(text for _, text in chain[:-1]), "\n".join(lines)))
        lines = []
        level = len(heading[1])
        chain = [(depth, text) for depth, text in chain if depth < level]
        chain.append((level, heading[2].replace("`", "")))
    return found


def headings(page: str) -> set[str]:
    return {section.heading for section in sections(DOCS / page)}


@pytest.mark.parametrize("table", [*SINGLE_TABLES, *ARRAY_TABLES])
def test_every_key_of_the_configuration_has_its_heading_under_its_tables(table: str) -> None:
    keys = {key.name for key in {**SINGLE_TABLES, **ARRAY_TABLES}[table]}
    name = f"[{table}]" if table in SINGLE_TABLES else f"[[{table}]]"
    documented = {each.heading for each in sections(DOCS / "configuration.md") if name in each.under}
    assert keys - documented == set()


def test_the_keys_of_a_service_and_of_the_top_have_their_headings() -> None:
    found = sections(DOCS / "configuration.md")
    assert "include" in {each.heading for each in found}
    assert {"name", "type"} <= {each.heading for each in found if "[[server.service]]" in each.under}


def test_every_check_type_has_an_example_that_works_as_written(tmp_path: Path) -> None:
    fenced = re.findall(r"^```toml\n(.*?)^```", (DOCS / "checks.md").read_text(), re.DOTALL | re.MULTILINE)
    server = '[[server]]\nid = "web-{}"\naddress = "192.0.2.10"\nlevel = 4\n'
    examples = [("" if "[[server]]" in text else server.format(number)) + text for number, text in enumerate(fenced)]
    (tmp_path / "config.toml").write_text("".join(examples))
    shown = {check.type for each in load(tmp_path / "config.toml").servers for check in each.checks}
    assert shown == set(CHECK_TYPES)


@pytest.mark.parametrize("name", CHECK_TYPES)
def test_every_check_type_says_by_which_words_it_can_fail(name: str) -> None:
    (told,) = (each.text for each in sections(DOCS / "checks.md") if each.heading == name and len(each.under) == 1)
    reasons = told.partition("Fails by:")[2].partition("```")[0]
    assert reasons, f"docs/checks.md does not say by what {name} fails"
    assert {word for word in re.findall(r"`([a-z_]+)`", reasons) if word not in CHECK_TYPES} <= set(Reason)


@pytest.mark.parametrize("name", CHECK_TYPES)
def test_every_check_type_has_its_heading_and_names_its_keys(name: str) -> None:
    under = [each for each in sections(DOCS / "checks.md") if name in (each.heading, *each.under)]
    assert under, f"docs/checks.md has no heading {name}"
    words = set(re.findall(r"[\w-]+", " ".join(f"{each.heading} {each.text}" for each in under)))
    keys = {field.name for field in dataclasses.fields(CHECK_TYPES[name].settings)}
    assert keys - {field.name for field in dataclasses.fields(CheckSettings)} - words == set()


def test_the_keys_of_every_check_type_have_their_headings() -> None:
    documented = {each.heading for each in sections(DOCS / "checks.md") if "Keys of every type" in each.under}
    assert {field.name for field in dataclasses.fields(CheckSettings)} - documented == set()


def test_every_metric_has_its_heading() -> None:
    assert {family.name for family, _ in METRICS} - headings("metrics.md") == set()


def test_every_verb_has_its_heading() -> None:
    assert set(cli_help.command_helps()) - headings("cli.md") == set()


def test_no_heading_tells_of_a_verb_that_is_no_more() -> None:
    told = {heading for heading in headings("cli.md") if heading.startswith("monitor")}
    assert told - set(cli_help.command_helps()) == set()


def test_the_helps_in_the_documents_are_those_of_the_program() -> None:
    page = (DOCS / "cli.md").read_text()
    assert page == cli_help.refresh_page(page), "`make docs` writes them again"


@pytest.mark.parametrize("status", ["Exit status 0", "Exit status 1", "Exit status 2"])
def test_every_exit_status_has_its_heading(status: str) -> None:
    assert status in headings("operations.md")


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= README_LINES


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    assert [
        page.name for page in DOCS.glob("*.md") if f"]({page.name})" not in index and page.name != "README.md"
    ] == []


def test_links_between_the_documents_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {link}"
        for page in [*REPOSITORY.glob("*.md"), *DOCS.glob("*.md")]
        for link in _LINK.findall(page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_the_changelog_has_a_heading_for_what_changes_figures() -> None:
    assert {"[Unreleased]", "Accounting"} <= {each.heading for each in sections(REPOSITORY / "CHANGELOG.md")}


def test_no_file_records_where_packages_came_from() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert [file for file in listed.stdout.splitlines() if Path(file).name in LOCK_FILES] == []
    constraints = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert [line for line in constraints if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
