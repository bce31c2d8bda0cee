"""The page that Prometheus scrapes: names, types and labels are promises."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from monitor.engine.live.state import CheckEntry, LiveState, WindowFigures
from monitor.engine.live.telemetry import Telemetry
from monitor.model import CheckKey, Outcome
from monitor.probes.probe import Phases
from monitor.web.metrics.exposition import ExpositionFormat
from monitor.web.metrics.page import METRICS, MetricsPage
from monitor.web.metrics.sources import CACHED_SERIES_SIZE
from tests.fakes import replace_config
from tests.web.page_fixtures import (
    CERTIFICATE,
    CHECKS,
    NOW,
    PING,
    SITE,
    SUBSCRIPTIONS,
    configured_state,
    make_outage,
    make_result,
    metrics_page,
    parse_page,
    populated_state,
    samples_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

DOCS = Path(__file__).parents[3] / "docs"
MANY = 3 * CACHED_SERIES_SIZE
CHECK, SUBSCRIPTION, WINDOW, PROBER = ["server", "check"], ["subscription"], ["subscription", "window"], ["prober"]
PROMISED: dict[str, tuple[str, list[str]]] = {
    "probe_success": ("gauge", CHECK),
    "probe_duration_seconds": ("gauge", CHECK),
    "monitor_check_slow": ("gauge", CHECK),
    "probe_ssl_earliest_cert_expiry": ("gauge", CHECK),
    "probe_ssl_last_chain_expiry_timestamp_seconds": ("gauge", CHECK),
    "monitor_probe_phase_seconds": ("gauge", [*CHECK, "phase"]),
    "monitor_check_info": ("gauge", [*CHECK, "prober", "address"]),
    "monitor_subscription_info": ("gauge", ["subscription", "customer_id", "server", "product", "level"]),
    "sla_availability_ratio": ("gauge", WINDOW),
    "sla_coverage_ratio": ("gauge", WINDOW),
    "sla_down_seconds": ("gauge", WINDOW),
    "sla_error_budget_remaining_seconds": ("gauge", WINDOW),
    "sla_target_ratio": ("gauge", SUBSCRIPTION),
    "sla_credit_ratio": ("gauge", SUBSCRIPTION),
    "monitor_results_total": ("counter", PROBER),
    "monitor_results_failed_total": ("counter", PROBER),
    "monitor_results_unknown_total": ("counter", PROBER),
    "monitor_probe_latency_seconds": ("histogram", PROBER),
    "monitor_probe_lag_seconds": ("histogram", []),
    "monitor_slots_missed_total": ("counter", []),
    "monitor_icmp_late_replies_total": ("counter", []),
    "monitor_icmp_duplicate_replies_total": ("counter", []),
    "monitor_icmp_dropped_total": ("counter", []),
    "monitor_last_sweep_timestamp_seconds": ("gauge", []),
    "monitor_clock_behind_seconds": ("gauge", []),
    "monitor_clock_holds": ("gauge", []),
    "monitor_outages_open": ("gauge", PROBER),
    "monitor_maintenance_active": ("gauge", ["server"]),
    "monitor_canary_success": ("gauge", ["canary"]),
    "monitor_emails_sent_total": ("counter", []),
    "monitor_emails_failed_total": ("counter", []),
    "monitor_emails_dead": ("gauge", []),
    "monitor_emails_pending": ("gauge", []),
    "monitor_email_oldest_pending_timestamp_seconds": ("gauge", []),
    "monitor_claims_open": ("gauge", []),
    "monitor_claims_overdue": ("gauge", []),
    "monitor_hardware_open": ("gauge", []),
    "monitor_hardware_due_soon": ("gauge", []),
    "monitor_hardware_overdue": ("gauge", []),
    "monitor_hardware_next_due_timestamp_seconds": ("gauge", []),
    "monitor_tickets_open": ("gauge", []),
    "monitor_tickets_due_soon": ("gauge", []),
    "monitor_tickets_overdue": ("gauge", []),
    "monitor_tickets_next_due_timestamp_seconds": ("gauge", []),
    "monitor_journal_entries": ("gauge", []),
    "monitor_journal_verified_timestamp_seconds": ("gauge", []),
    "monitor_figures_drift_total": ("counter", []),
    "monitor_config_last_reload_successful": ("gauge", []),
    "monitor_config_last_reload_success_timestamp_seconds": ("gauge", []),
    "monitor_database_size_bytes": ("gauge", []),
    "monitor_database_write_seconds": ("histogram", []),
    "monitor_database_lost": ("gauge", []),
    "monitor_database_errors_total": ("counter", []),
    "monitor_build_info": ("gauge", ["version", "python"]),
}


def labels_of(text: str, name: str, kind: str) -> list[str]:
    """The label names of a metric's first sample, without the bound of a bucket."""
    suffix = "_count" if kind == "histogram" else ""
    found = re.search(rf"^{name}{suffix}(?:{{(.*)}})? ", text, re.MULTILINE)
    assert found is not None, name
    return re.findall(r"(\w+)=", found[1] or "")


def test_every_promised_metric_is_there_with_its_type_and_labels() -> None:
    text = metrics_page(*populated_state())
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert {name: (kind, labels_of(text, name, kind)) for name, kind in kinds.items()} == PROMISED


def test_every_metric_has_its_heading_and_no_heading_tells_of_another() -> None:
    headings = re.findall(r"^##+ `(\w+)`$", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    assert headings == [family.name for family, _ in METRICS]


@pytest.mark.parametrize("form", ExpositionFormat)
def test_a_parser_reads_the_whole_page(form: ExpositionFormat) -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    text = "".join(MetricsPage(*populated_state(), registry).render(form))
    assert {family.name for family in parse_page(text, form)} > {name.removesuffix("_total") for name in PROMISED}


class Given:
    """A collector of metrics that are given."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = [*metrics]

    def collect(self) -> list[Metric]:
        return self._metrics


@pytest.mark.parametrize("form", ExpositionFormat)
def test_the_library_prints_the_same_page_of_the_same_samples(form: ExpositionFormat) -> None:
    text = metrics_page(*populated_state(), form)
    registry = CollectorRegistry()
    registry.register(Given(parse_page(text, form)))
    render = openmetrics.generate_latest if form is ExpositionFormat.OPENMETRICS else generate_latest
    assert comparable(render(registry).decode()) == comparable(text)


def comparable(text: str) -> list[str]:
    """Give the lines, numbers as floats and labels by name: the library writes 3 as 3.0, and sorts."""
    found = []
    for line in text.splitlines():
        head, _, tail = line.rpartition(" ")
        name, _, labelled = head.partition("{")
        pairs = sorted(re.findall(r'\w+="[^"]*"', labelled))
        found.append(line if line.startswith("#") else f"{name}{pairs} {float(tail)}")
    return found


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (apt install prometheus)")
def test_promtool_has_nothing_to_say() -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    text = "".join(MetricsPage(*populated_state(), registry).render(ExpositionFormat.TEXT))
    said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_success_is_one_or_zero_and_absent_while_unknown() -> None:
    board = configured_state()
    board.set_check_result(make_result(PING))
    board.set_check_result(make_result(SITE, Outcome.FAIL))
    board.set_check_result(make_result(CheckKey("mail-01", "ping"), Outcome.UNKNOWN))
    assert samples_of(metrics_page(board, Telemetry()), "probe_success") == {
        'server="web-01",check="ping"': 1,
        'server="web-01",check="site"': 0,
    }


def test_before_the_first_result_nothing_is_claimed() -> None:
    text = metrics_page(configured_state(), Telemetry())
    claims = {"probe_success", "probe_duration_seconds", "sla_availability_ratio", "sla_credit_ratio"}
    assert {name for name in claims if samples_of(text, name)} == set()
    assert samples_of(text, "sla_target_ratio") == {
        'subscription="acme-web-01"': 0.9975,
        'subscription="zeta-mail-01"': 0.9975,
    }


def test_duration_is_that_of_a_success() -> None:
    board = configured_state()
    board.set_check_result(make_result(PING, latency=412))
    board.set_check_result(make_result(SITE, Outcome.FAIL))
    assert samples_of(metrics_page(board, Telemetry()), "probe_duration_seconds") == {
        'server="web-01",check="ping"': 0.000412
    }


def test_the_certificate_seen_last_stays_while_the_check_fails() -> None:
    board = configured_state()
    board.set_check_result(make_result(SITE), CERTIFICATE)
    board.set_check_result(make_result(SITE, Outcome.FAIL))
    text, site = metrics_page(board, Telemetry()), 'server="web-01",check="site"'
    assert samples_of(text, "probe_ssl_earliest_cert_expiry") == {site: 1_800_000_000}
    assert samples_of(text, "probe_ssl_last_chain_expiry_timestamp_seconds") == {site: 1_900_000_000}


def test_phases_are_those_that_an_attempt_got_to() -> None:
    board = configured_state()
    board.set_check_result(make_result(SITE), None, Phases(connect=400, first_byte=1200))
    labelled = 'server="web-01",check="site",phase='
    assert samples_of(metrics_page(board, Telemetry()), "monitor_probe_phase_seconds") == {
        f'{labelled}"connect"': 0.0004,
        f'{labelled}"first_byte"': 0.0012,
    }


def test_figures_are_ratios_and_seconds() -> None:
    board = configured_state()
    # 30 days less an hour of exclusions; an hour unmeasured, two hours down
    board.set_figures("acme-web-01", "month", WindowFigures(2_664_000_000, 7_200_000, 3_600_000, 9973, -521_001, 10))
    text = metrics_page(board, Telemetry())
    month = 'subscription="acme-web-01",window="month"'
    assert samples_of(text, "sla_availability_ratio") == {month: 2_664_000 / 2_671_200}
    assert samples_of(text, "sla_coverage_ratio") == {month: 2_671_200 / 2_674_800}
    assert samples_of(text, "sla_down_seconds") == {month: 7200}
    assert samples_of(text, "sla_error_budget_remaining_seconds") == {month: -521.001}
    assert samples_of(text, "sla_credit_ratio") == {'subscription="acme-web-01"': 0.1}


def test_without_measurements_there_is_a_coverage_of_nothing_and_no_availability() -> None:
    board = configured_state()
    board.set_figures("acme-web-01", "rolling", WindowFigures(0, 0, 3_600_000, None, 6_480_000))
    text = metrics_page(board, Telemetry())
    assert samples_of(text, "sla_availability_ratio") == {}
    assert samples_of(text, "sla_coverage_ratio") == {'subscription="acme-web-01",window="rolling"': 0}


def test_where_all_time_is_excluded_there_is_no_coverage_either() -> None:
    board = configured_state()
    board.set_figures("acme-web-01", "rolling", WindowFigures(0, 0, 0, None, 0))
    assert samples_of(metrics_page(board, Telemetry()), "sla_coverage_ratio") == {}


def test_availability_meets_the_target_exactly_where_the_fraction_does() -> None:
    board = configured_state()
    board.set_figures("acme-web-01", "month", WindowFigures(9_975 * 259_200, 25 * 259_200, 0, 9975, 0))
    board.set_figures("acme-web-01", "rolling", WindowFigures(9_975 * 259_200 - 1, 25 * 259_200 + 1, 0, 9974, -1))
    text = metrics_page(board, Telemetry())
    (target,) = {*samples_of(text, "sla_target_ratio").values()}
    ratios = samples_of(text, "sla_availability_ratio")
    assert ratios['subscription="acme-web-01",window="month"'] == target
    assert ratios['subscription="acme-web-01",window="rolling"'] < target


def test_known_series_begin_at_zero() -> None:
    text = metrics_page(configured_state(), Telemetry())
    assert samples_of(text, "monitor_results_total") == {'prober="https"': 0, 'prober="icmp"': 0}
    assert samples_of(text, "monitor_outages_open") == {'prober="https"': 0, 'prober="icmp"': 0}
    for name in ("monitor_slots_missed_total", "monitor_emails_failed_total", "monitor_database_errors_total"):
        assert samples_of(text, name) == {"": 0}


def test_what_happens_is_counted() -> None:
    telemetry = Telemetry()
    for outcome, latency in ((Outcome.OK, 400), (Outcome.OK, 30_000), (Outcome.FAIL, None), (Outcome.UNKNOWN, None)):
        telemetry.count_result("icmp", outcome, latency)
    telemetry.count_missed_slots(3)
    telemetry.mail_sent()
    telemetry.mail_failed()
    telemetry.write_failed()
    text = metrics_page(configured_state(), telemetry)
    icmp = 'prober="icmp"'
    assert samples_of(text, "monitor_results_total")[icmp] == 4
    assert samples_of(text, "monitor_results_failed_total")[icmp] == 1
    assert samples_of(text, "monitor_results_unknown_total")[icmp] == 1
    assert samples_of(text, "monitor_probe_latency_seconds_count")[icmp] == 2
    assert samples_of(text, "monitor_probe_latency_seconds_sum")[icmp] == 0.0304
    assert samples_of(text, "monitor_probe_latency_seconds_bucket")[f'{icmp},le="0.0005"'] == 1
    assert samples_of(text, "monitor_slots_missed_total") == {"": 3}
    assert samples_of(text, "monitor_emails_sent_total") == {"": 1}
    assert samples_of(text, "monitor_emails_failed_total") == {"": 1}
    assert samples_of(text, "monitor_database_errors_total") == {"": 1}


def test_a_refused_reload_leaves_the_time_of_the_last_good_one() -> None:
    telemetry = Telemetry()
    telemetry.reloaded(ok=True, at=NOW)
    telemetry.reloaded(ok=False, at=NOW + 60_000)
    text = metrics_page(LiveState(), telemetry)
    assert samples_of(text, "monitor_config_last_reload_successful") == {"": 0}
    assert samples_of(text, "monitor_config_last_reload_success_timestamp_seconds") == {"": NOW / 1000}


def test_open_outages_are_counted_by_prober() -> None:
    board = configured_state()
    board.add_outage(make_outage(1, PING))
    board.add_outage(make_outage(2, CheckKey("mail-01", "ping")))
    board.add_outage(make_outage(3, SITE))
    board.remove_outage(1)
    assert samples_of(metrics_page(board, Telemetry()), "monitor_outages_open") == {
        'prober="https"': 1,
        'prober="icmp"': 1,
    }


def test_maintenance_is_there_only_while_it_is() -> None:
    board, telemetry = populated_state()
    assert samples_of(metrics_page(board, telemetry), "monitor_maintenance_active") == {'server="mail-01"': 1}
    board.set_maintenance_windows([])
    assert "monitor_maintenance_active" not in metrics_page(board, telemetry)


def test_what_leaves_the_configuration_leaves_the_page() -> None:
    board, telemetry = populated_state()
    metrics = MetricsPage(board, telemetry, CollectorRegistry())
    assert "mail-01" in "".join(metrics.render(ExpositionFormat.TEXT))
    replace_config(board, CHECKS[:1], SUBSCRIPTIONS[:1])
    telemetry.set_canaries([])
    left = "".join(metrics.render(ExpositionFormat.TEXT))
    assert [word for word in ("mail-01", "zeta", "site", "https", '192.0.2.1"') if word in left] == []
    assert samples_of(left, "probe_success") == {'server="web-01",check="ping"': 1}


def test_a_configuration_that_changes_during_a_scrape_leaves_the_page_whole() -> None:
    board, telemetry = LiveState(), Telemetry()
    replace_config(board, [CheckEntry(f"server-{number}", "ping", "icmp", "::1") for number in range(MANY)], [])
    for key in board.checks:
        board.set_check_result(make_result(key))
    cut = MetricsPage(board, telemetry, CollectorRegistry()).render(ExpositionFormat.OPENMETRICS)
    text = next(cut)
    replace_config(board, CHECKS, SUBSCRIPTIONS)
    board.add_outage(make_outage(1, SITE))
    text += "".join(cut)
    assert len(parse_page(text, ExpositionFormat.OPENMETRICS)) > 5
    assert len(samples_of(text, "monitor_check_info")) == len(samples_of(text, "probe_success")) == MANY


def test_names_cannot_break_out_of_their_line() -> None:
    board = LiveState()
    replace_config(board, [CheckEntry("a", "b", "tcp", 'x"} 1\nevil_total 9 \\')], [])
    text = metrics_page(board, Telemetry())
    assert 'address="x\\"} 1\\nevil_total 9 \\\\"' in text
    assert not re.search(r"^evil", text, re.MULTILINE)


def test_what_is_kept_is_written_again_as_soon_as_it_changed() -> None:
    board = configured_state()
    metrics = MetricsPage(board, Telemetry(), CollectorRegistry())

    def shown(name: str) -> dict[str, float]:
        return samples_of("".join(metrics.render(ExpositionFormat.TEXT)), name)

    assert shown("probe_duration_seconds") == {}
    board.set_check_result(make_result(PING, latency=412))
    assert shown("probe_duration_seconds") == {'server="web-01",check="ping"': 0.000412}
    board.set_check_result(make_result(PING, latency=413))
    board.set_figures("acme-web-01", "month", WindowFigures(9, 1, 0, 9000, -5, 50))
    assert shown("probe_duration_seconds") == {'server="web-01",check="ping"': 0.000413}
    assert shown("sla_credit_ratio") == {'subscription="acme-web-01"': 0.5}
    board.set_check_result(make_result(PING, Outcome.FAIL))
    board.set_figures("acme-web-01", "month", None)
    assert shown("probe_success") == {'server="web-01",check="ping"': 0}
    assert shown("probe_duration_seconds") == shown("sla_credit_ratio") == {}


def test_a_slow_answer_is_told_of_checks_with_a_limit_alone() -> None:
    board = configured_state()
    metrics = MetricsPage(board, Telemetry(), CollectorRegistry())

    def shown() -> dict[str, float]:
        return samples_of("".join(metrics.render(ExpositionFormat.TEXT)), "monitor_check_slow")

    labels = 'server="web-01",check="site"'
    assert shown() == {}
    for result, slow in (
        (make_result(SITE, latency=2_000_001), 1),
        (make_result(SITE, latency=2_000_000), 0),
        (make_result(SITE, Outcome.FAIL), 0),
    ):
        board.set_check_result(result)
        board.set_check_result(make_result(PING, latency=9_000_000))
        assert shown() == {labels: slow}


def test_two_scrapes_of_a_new_configuration_prepare_it_together() -> None:
    board = LiveState()
    replace_config(board, [CheckEntry(f"server-{number}", "ping", "icmp", "::1") for number in range(MANY)], [])
    metrics = MetricsPage(board, Telemetry(), CollectorRegistry())
    one, other = metrics.render(ExpositionFormat.TEXT), metrics.render(ExpositionFormat.TEXT)
    texts = ["", ""]
    for first, second in zip_longest(one, other, fillvalue=""):
        texts = [texts[0] + first, texts[1] + second]
    assert [len(samples_of(text, "monitor_check_info")) for text in texts] == [MANY, MANY]
