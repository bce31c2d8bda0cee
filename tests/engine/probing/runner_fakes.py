"""Stand-ins for the neighbours of a ``CheckRunner``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.model import Outcome, Result


class NotingRecorder:
    """Keep what is submitted, in order."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.heard: list[str] = []

    def submit(self, sweep: int, result: Result) -> None:
        self.heard.append(f"{result.outcome.name.lower()} of {sweep}")
        self.results.append(result)

    def end_sweep(self, sweep: int) -> None:
        self.heard.append(f"end of {sweep}")


class SilentListener:
    """Ignores every report of a canary."""

    def on_canary_result(self, address: str, outcome: Outcome) -> None: ...

    def on_connectivity_change(self, *, offline: bool) -> None: ...
