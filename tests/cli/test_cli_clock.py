"""``monitor clock``: what is shown, asked and recorded."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

DAY = 86_400_000


@pytest.fixture
def ahead(site: Installation) -> Installation:
    """An installation whose newest record lies forty days after this machine's clock."""
    now = time.time_ns() // 1_000_000
    site.record("ping", now - 600_000, "ooo")
    site.record("ping", now + 40 * DAY, "oxx")
    return site


def test_a_clock_that_agrees_needs_no_decision(site: Installation) -> None:
    site.record("ping", time.time_ns() // 1_000_000 - 600_000, "ooo")
    shown = site.run("clock", "show", "--json")
    assert (shown.status, shown.json["state"], shown.json["holds"]) == (0, "trusted", False)
    assert site.run("clock", "show").status == 0
    for decision in ("accept", "reject"):
        refused = site.run("clock", decision, "--yes")
        assert refused.status == 2
        assert "nothing to" in refused.err


def test_a_ledger_that_is_ahead_is_shown_by_status_and_refuses_to_close_a_month(ahead: Installation) -> None:
    shown = ahead.run("clock", "show")
    assert shown.status == 1
    assert "monitor clock reject" in shown.out
    assert ahead.run("clock", "show", "--json").json["difference_seconds"] > 39 * 86_400
    assert "after this machine's clock" in ahead.run("status").out
    assert "clock" in ahead.run("status", "--json").json["daemon"]["problems"]
    assert "monitor clock show" in ahead.run("close").err


def test_accepting_keeps_everything(ahead: Installation) -> None:
    before = ahead.run("outages", "list", "--json").out
    decided = ahead.run("clock", "accept", "--yes", "--json")
    assert decided.status == 0
    assert decided.json["decision"] == "accepted"
    assert ahead.run("outages", "list", "--json").out == before
    assert ahead.run("clock", "show").status == 0
    assert ahead.run("verify").status == 0


def test_rejecting_takes_back_what_was_recorded_later(ahead: Installation) -> None:
    decided = ahead.run("clock", "reject", "--yes", "--json")
    assert decided.status == 0
    assert (decided.json["decision"], decided.json["results"], decided.json["outages"]) == ("rejected", 3, [1])
    assert ahead.run("outages", "list", "--json").json["outages"] == []
    assert ahead.run("clock", "show").status == 0
    assert "after this machine's clock" not in ahead.run("status").out
    assert ahead.run("verify").status == 0


def test_a_decision_asks_first_and_records_nothing_without_an_answer(ahead: Installation) -> None:
    arguments = ["--config", str(ahead.config), "clock", "reject"]
    for answer, status in (("n\n", 1), ("", 2), ("y\n", 0)):
        asked = subprocess.run(
            [sys.executable, "-m", "monitor", *arguments], input=answer, capture_output=True, text=True, check=False
        )
        assert asked.returncode == status, asked.stderr
        assert "Is the clock right" in asked.stderr
        assert ahead.run("clock", "show").status == int(status != 0)
