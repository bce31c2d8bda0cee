"""What the code cites exists: anchors of docs/, and every module of the agreement in the map of docs/contract.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCES = sorted(REPOSITORY.glob("monitor/**/*.py"))
CITATION = re.compile(r"\b(docs/[\w-]+\.md)(?:#([\w-]+))?")
CITATIONS = sorted(
    {(match[1], match[2] or "") for source in SOURCES for match in CITATION.finditer(source.read_text("utf-8"))}
)
RULES = sorted(
    file.relative_to(REPOSITORY / "monitor" / "sla").as_posix()
    for file in REPOSITORY.glob("monitor/sla/**/*.py")
    if file.name != "__init__.py"
)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#{1,6} +(.+?)\s*$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_citations_were_found() -> None:
    assert len([anchor for _, anchor in CITATIONS if anchor]) > 5


@pytest.mark.parametrize(("page", "anchor"), CITATIONS)
def test_a_cited_page_has_the_anchor(page: str, anchor: str) -> None:
    file = REPOSITORY / page
    assert file.is_file()
    assert not anchor or anchor in anchors(file)


def test_no_document_outside_the_repository_is_cited() -> None:
    names = {source.name for source in SOURCES if re.search(r"\b(?:reading|product)\.md\b", source.read_text("utf-8"))}
    assert names == set()


@pytest.mark.parametrize("module", RULES)
def test_the_map_of_the_contract_page_names_a_module(module: str) -> None:
    page = (REPOSITORY / "docs" / "contract.md").read_text("utf-8")
    assert f"`{module}`" in page.split("## From results to time")[0]
