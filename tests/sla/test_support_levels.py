"""The table of clause 8.1."""

from __future__ import annotations

from decimal import Decimal

import pytest

from monitor.sla.support_levels import SUPPORT_LEVELS, SUPPORT_TABLE

ROWS = {row.key: row for row in SUPPORT_TABLE}


@pytest.mark.parametrize(
    ("level", "monitoring", "services", "hours", "phone", "fee"),
    [
        (1, "none", 0, 24, None, "0"),
        (2, "ping", 0, 8, "09-18", "9.99"),
        (3, "ping", 0, 4, "09-18", "49.99"),
        (4, "ping + 2 services", 2, 1, "24/7", "99.99"),
    ],
)
def test_each_level_has_its_monitoring_response_and_fee(
    level: int, monitoring: str, services: int, hours: int, phone: str | None, fee: str
) -> None:
    one = SUPPORT_LEVELS[level]
    assert (one.level, one.monitoring, one.services, one.phone) == (level, monitoring, services, phone)
    assert (one.ticket_hours, one.email_hours, one.fee_usd) == (hours, hours, Decimal(fee))
    assert one.monitored is (level > 1)


@pytest.mark.parametrize(("level", "reinstalls", "kvm"), [(1, 1, 4), (2, 2, 8), (3, 2, 12), (4, 4, 24)])
def test_each_level_has_its_quotas(level: int, reinstalls: int, kvm: int) -> None:
    one = SUPPORT_LEVELS[level]
    assert (one.reinstalls_per_year, one.kvm_hours_per_month) == (reinstalls, kvm)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_the_catalogue_and_the_levels_say_the_same(level: int) -> None:
    one = SUPPORT_LEVELS[level]
    cells = {key: row.cells[level - 1] for key, row in ROWS.items()}
    assert (cells["monitoring"] or "none") == one.monitoring
    assert (cells["ticket_response"], cells["email_response"]) == (one.ticket_hours, one.email_hours)
    assert (cells["reinstalls"], cells["kvm"]) == (one.reinstalls_per_year, one.kvm_hours_per_month)
    assert (cells["phone"], cells["fee_usd"]) == (one.phone, one.fee_usd)


def test_the_catalogue_has_every_row_of_the_agreement() -> None:
    assert len(ROWS) == len(SUPPORT_TABLE) == 25
    assert [row.tr for row in SUPPORT_TABLE][:3] == [
        "İlk Kurulum ve ayarlar",
        "Yeniden Kurulum (İşletim Sistemi)",
        "Power On - Power Off - Restart",
    ]


@pytest.mark.parametrize(
    ("key", "levels"),
    [
        ("initial_setup", {1, 2, 3, 4}),
        ("power", {1, 2, 3, 4}),
        ("remote_management", {1, 2, 3, 4}),
        ("rescue_mode", {1, 2, 3, 4}),
        ("password_reset", {1, 2, 3, 4}),
        ("hardware_replacement", {1, 2, 3, 4}),
        ("system_updates", {2, 3, 4}),
        ("panel_support", {3, 4}),
        ("panel_reinstall", {3, 4}),
        ("periodic_updates", {4}),
        ("service_checks", {2, 3, 4}),
        ("service_updates", {3, 4}),
        ("service_tuning", {3, 4}),
        ("resource_and_log_watch", {4}),
        ("attack_detection", {3, 4}),
        ("mail_problems", {2, 3, 4}),
        ("foreign_firewall", {4}),
        ("package_installation", {3, 4}),
    ],
)
def test_each_service_belongs_to_its_levels(key: str, levels: set[int]) -> None:
    assert {level for level, cell in enumerate(ROWS[key].cells, start=1) if cell is True} == levels


def test_the_firewall_abroad_is_optional_below_level_4() -> None:
    assert ROWS["foreign_firewall"].cells == ("optional", "optional", "optional", True)
