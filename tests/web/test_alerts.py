"""The alert rules in contrib/: they parse, they fire when they should, and each is documented."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from monitor.web.metrics.page import METRICS

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "contrib" / "prometheus"
RULES = (FOLDER / "alerts.yml").read_text()
TESTS = (FOLDER / "alerts_test.yml").read_text()
ALERTS = re.findall(r"- alert: (\w+)", RULES)
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (apt install prometheus)"
)


def promtool(*arguments: str) -> str:
    """Run it in the folder of the rules; return what it said, which must not be a failure."""
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool(
        "check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"
    )


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_scrape_configuration() -> None:
    assert "prometheus.yml is valid" in promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_every_alert_fires_and_is_silent_when_it_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_both_ways_and_documented(alert: str) -> None:
    assert f"alertname: {alert}, exp_alerts: []" in TESTS
    assert re.search(rf"alertname: {alert}\n +exp_alerts:\n", TESTS)
    assert f"\n### {alert}\n" in (REPOSITORY / "docs" / "alerts.md").read_text()


def test_the_rules_ask_for_metrics_that_there_are() -> None:
    asked = set(re.findall(r"\b(?:probe|sla|monitor)_\w+", RULES))
    assert asked - {family.name for family, _ in METRICS} == set()
    assert len(asked) > 10
