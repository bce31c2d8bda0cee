"""The support levels of clause 8.1, row by row as the agreement lists them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Monitoring: TypeAlias = Literal["none", "ping", "ping + 2 services"]
PhoneHours: TypeAlias = Literal["09-18", "24/7"]
SupportValue: TypeAlias = str | int | Decimal | bool | None
"""True and False are the agreement's yes and dash; ``None`` is a dash in a row of values."""


@dataclass(frozen=True, slots=True)
class SupportRow:
    """One row of the table: its key, its Turkish text in the agreement, its English text, its unit, levels 1 to 4."""

    key: str
    tr: str
    en: str
    unit: str
    cells: tuple[SupportValue, SupportValue, SupportValue, SupportValue]


_ALL_LEVELS: Final = (True, True, True, True)
_FROM_LEVEL_2: Final = (False, True, True, True)
_FROM_LEVEL_3: Final = (False, False, True, True)
_ONLY_LEVEL_4: Final = (False, False, False, True)

SUPPORT_TABLE: Final = (
    SupportRow("initial_setup", "İlk Kurulum ve ayarlar", "First installation and settings", "", _ALL_LEVELS),
    SupportRow(
        "reinstalls", "Yeniden Kurulum (İşletim Sistemi)", "Reinstallation of the system", "a year", (1, 2, 2, 4)
    ),
    SupportRow("power", "Power On - Power Off - Restart", "Power on, power off, restart", "", _ALL_LEVELS),
    SupportRow("remote_management", "ILO IPMI IDRAC v.b", "iLO, IPMI, iDRAC and the like", "", _ALL_LEVELS),
    SupportRow("kvm", "KVM Over IP / Virtual Media", "KVM over IP, virtual media", "hours a month", (4, 8, 12, 24)),
    SupportRow("rescue_mode", "Kurtarma modu", "Rescue mode", "", _ALL_LEVELS),
    SupportRow("password_reset", "Şifre Sıfırlama", "Password reset", "", _ALL_LEVELS),
    SupportRow("hardware_replacement", "Donanım Değişimi", "Replacement of hardware", "", _ALL_LEVELS),
    SupportRow("system_updates", "İşletim Sistemi Güncelleme", "Updates of the system", "", _FROM_LEVEL_2),
    SupportRow(
        "panel_support",
        "Kontrol Panel Desteği (cPanel - Plesk - Directadmin)",
        "Control panel support",
        "",
        _FROM_LEVEL_3,
    ),
    SupportRow(
        "panel_reinstall", "Kontrol Panel yeniden kurulum", "Reinstallation of the control panel", "", _FROM_LEVEL_3
    ),
    SupportRow("periodic_updates", "Periyodik Güncelleme", "Periodic updates", "", _ONLY_LEVEL_4),
    SupportRow("monitoring", "Sunucu İzleme", "Monitoring", "", (None, "ping", "ping", "ping + 2 services")),
    SupportRow("service_checks", "Servis kontrolü", "Service checks", "", _FROM_LEVEL_2),
    SupportRow("service_updates", "Servis Versiyon Güncelleme", "Updates of services", "", _FROM_LEVEL_3),
    SupportRow("service_tuning", "Servis optimizasyonu", "Tuning of services", "", _FROM_LEVEL_3),
    SupportRow(
        "resource_and_log_watch", "Sistem Kaynak ve Log takibi", "Watch on resources and logs", "", _ONLY_LEVEL_4
    ),
    SupportRow("attack_detection", "Saldırı Tespit", "Detection of attacks", "", _FROM_LEVEL_3),
    SupportRow("mail_problems", "Email Problemleri", "Mail problems", "", _FROM_LEVEL_2),
    SupportRow(
        "foreign_firewall",
        "Yurtdışı Firewall Hizmeti",
        "Firewall abroad",
        "",
        ("optional", "optional", "optional", True),
    ),
    SupportRow("package_installation", "Paket kurulum desteği", "Installation of packages", "", _FROM_LEVEL_3),
    SupportRow("ticket_response", "Destek Bileti", "First response to a ticket", "hours at most", (24, 8, 4, 1)),
    SupportRow("email_response", "E-Posta", "First response to an e-mail", "hours at most", (24, 8, 4, 1)),
    SupportRow("phone", "Telefon", "Phone", "", (None, "09-18", "09-18", "24/7")),
    SupportRow(
        "fee_usd",
        "Aylık Ücret",
        "Monthly fee",
        "USD",
        (Decimal(0), Decimal("9.99"), Decimal("49.99"), Decimal("99.99")),
    ),
)


@dataclass(frozen=True, slots=True)
class SupportLevel:
    """The values of one column of the table that the program uses; ``SUPPORT_TABLE`` has all."""

    level: int
    monitoring: Monitoring
    services: int
    """The largest number of monitored services, besides ping."""
    ticket_hours: int
    """The limit of the first response to a ticket."""
    email_hours: int
    """The limit of the first response to an e-mail."""
    phone: PhoneHours | None
    fee_usd: Decimal
    """The fee of a month."""
    reinstalls_per_year: int
    kvm_hours_per_month: int

    @property
    def monitored(self) -> bool:
        """Whether servers of this level are probed."""
        return self.monitoring != "none"


def _support_level(number: int) -> SupportLevel:
    cells = {row.key: row.cells[number - 1] for row in SUPPORT_TABLE}
    monitoring, fee = cells["monitoring"] or "none", cells["fee_usd"]
    assert isinstance(fee, Decimal)
    return SupportLevel(
        level=number,
        monitoring=cast("Monitoring", monitoring),
        services=2 if monitoring == "ping + 2 services" else 0,
        ticket_hours=_as_int(cells["ticket_response"]),
        email_hours=_as_int(cells["email_response"]),
        phone=cast("PhoneHours | None", cells["phone"]),
        fee_usd=fee,
        reinstalls_per_year=_as_int(cells["reinstalls"]),
        kvm_hours_per_month=_as_int(cells["kvm"]),
    )


def _as_int(cell: SupportValue) -> int:
    assert isinstance(cell, int)
    return cell


SUPPORT_LEVELS: Final[Mapping[int, SupportLevel]] = {number: _support_level(number) for number in (1, 2, 3, 4)}
"""The columns of ``SUPPORT_TABLE``, by level."""
