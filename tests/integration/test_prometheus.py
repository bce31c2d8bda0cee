"""A real Prometheus scrapes the page, keeps its series, and fires the shipped alerts."""

from __future__ import annotations

import asyncio
import re
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from monitor.clock import SystemClock
from monitor.model import CheckKey, Outcome
from monitor.web.metrics.page import METRICS
from monitor.web.server import WebState, serve
from tests.fakes import replace_config
from tests.integration.lab_daemon import free_port
from tests.web.page_fixtures import CHECKS, PING, SITE, SUBSCRIPTIONS, make_result, populated_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from monitor.engine.live.state import LiveState

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not installed (apt install prometheus)"
    ),
]

RULES = Path(__file__).parents[2] / "contrib" / "prometheus" / "alerts.yml"
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: sla-monitor
    static_configs: [{{targets: ["{target}"]}}]
"""
MAIL = CheckKey("mail-01", "ping")
PATIENCE = 60.0
"""Seconds until something must have come true; it usually takes three."""


class Prometheus:
    """A running one, asked by its API."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def ready(self) -> bool:
        """Whether it has started."""
        try:
            async with self._session.get(f"{self._url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def api(self, path: str, **query: str) -> Any:
        """Ask one thing of its API."""
        async with self._session.get(f"{self._url}/api/v1/{path}", params=query) as answer:
            said = await answer.json()
            assert said["status"] == "success", said
            return said["data"]

    async def values(self, query: str, label: str = "server") -> dict[str, float]:
        """Give the values of a query by one label of theirs."""
        found = (await self.api("query", query=query))["result"]
        return {each["metric"].get(label, ""): float(each["value"][1]) for each in found}

    async def firing(self, alert: str) -> set[str]:
        """Give the servers for which an alert fires."""
        alerts = (await self.api("alerts"))["alerts"]
        return {
            each["labels"]["server"]
            for each in alerts
            if each["labels"]["alertname"] == alert and each["state"] == "firing"
        }


async def until(wanted: object, look: Callable[[], Awaitable[object]]) -> None:
    """Look until it is what is wanted; fail with what it is instead."""
    seen = await look()
    try:
        async with asyncio.timeout(PATIENCE):
            while seen != wanted:
                await asyncio.sleep(0.1)
                seen = await look()
    except TimeoutError:
        assert seen == wanted, "it never came true"


@asynccontextmanager
async def running(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    """Run Prometheus on a monitor, with the shipped rules made impatient."""
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
    (folder / "alerts.yml").write_text(re.sub(r"for: \w+", "for: 1s", RULES.read_text()))
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as session:
            prometheus = Prometheus(f"http://{address}", session)
            await until(wanted=True, look=prometheus.ready)
            yield prometheus
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[tuple[LiveState, Prometheus]]:
    """Serve a picture in which everything is known, and let Prometheus scrape it."""
    board, telemetry = populated_state()
    async with serve(WebState(board, telemetry, SystemClock()), ("127.0.0.1", 0), "") as url:
        target = url.removeprefix("http://").rstrip("/")
        async with running(folder, target) as prometheus:
            await until({target: 1}, lambda: prometheus.values("up", "instance"))
            yield board, prometheus


async def test_every_metric_arrives_and_nothing_is_refused(tmp_path: Path) -> None:
    async with watching(tmp_path) as (_, prometheus):
        names = set(await prometheus.values('count by (__name__) ({job="sla-monitor"})', "__name__"))
        arrived = {family.name + ("_bucket" if family.metric_type == "histogram" else "") for family, _ in METRICS}
        assert arrived - names == set()
        (target,) = (await prometheus.api("targets"))["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        assert await prometheus.values("probe_success * on (server, check) monitor_check_info", "check")


async def test_what_leaves_the_configuration_goes_stale_at_once(tmp_path: Path) -> None:
    async with watching(tmp_path) as (board, prometheus):
        await until({"web-01": 1, "mail-01": 1}, lambda: prometheus.values('probe_success{check="ping"}'))
        replace_config(board, CHECKS[:2], SUBSCRIPTIONS[:1])
        await until({"web-01": 1}, lambda: prometheus.values('probe_success{check="ping"}'))
        await until({"acme-web-01": 1}, lambda: prometheus.values("monitor_subscription_info", "subscription"))


async def test_alerts_fire_and_are_silent_in_maintenance(tmp_path: Path) -> None:
    async with watching(tmp_path) as (board, prometheus):
        for key in (PING, SITE, MAIL):
            board.set_check_result(make_result(key, Outcome.FAIL, reason="timeout"))
        # mail-01 is in maintenance; the service of a fallen server is not told of beside it
        await until({"web-01"}, lambda: prometheus.firing("ServerDown"))
        assert await prometheus.firing("CheckDown") == set()
        board.set_maintenance_windows([])
        await until({"web-01", "mail-01"}, lambda: prometheus.firing("ServerDown"))
        for key in (PING, MAIL):
            board.set_check_result(make_result(key))
        await until(set(), lambda: prometheus.firing("ServerDown"))
        await until({"web-01"}, lambda: prometheus.firing("CheckDown"))


async def test_a_missed_target_and_a_credit_are_told_with_server_and_customer(tmp_path: Path) -> None:
    async with watching(tmp_path) as (_, prometheus):
        await until({"web-01", "mail-01"}, lambda: prometheus.firing("ErrorBudgetGone"))
        await until({"web-01", "mail-01"}, lambda: prometheus.firing("CreditOwed"))
        assert await prometheus.firing("ErrorBudgetHalfGone") == set()
