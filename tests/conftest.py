"""What holds for every test."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes import close_databases

if TYPE_CHECKING:
    from collections.abc import Iterator

# how long an example takes says how busy the machine is: speed is measured in bench/
settings.register_profile("untimed", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _databases() -> Iterator[None]:
    """Close the databases that a test opened by ``tests.fakes``."""
    yield
    close_databases()


@pytest.fixture(autouse=True)
def _no_unexpected_errors(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test while the program logs an error; ``@pytest.mark.logs_errors`` allows what a test provokes."""
    yield
    if request.node.get_closest_marker("logs_errors") is None:
        records = [record for phase in ("setup", "call") for record in caplog.get_records(phase)]
        errors = [
            record.getMessage() for record in records if record.levelno >= logging.ERROR and _is_ours(record.name)
        ]
        assert errors == []


def _is_ours(logger: str) -> bool:
    return logger.partition(".")[0] in ("monitor", "asyncio")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for each reason for which tests are skipped; the reason says how to have them."""
    skipped = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []))
    for reason, count in sorted(skipped.items()):
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
