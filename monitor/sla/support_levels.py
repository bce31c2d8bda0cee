"""The support levels of clause 8.1, row by row as the agreement lists them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Monitoring: TypeAlias = Literal["none", "ping", "ping + 2 services"]
PhoneHours: TypeAlias = Literal["09-18", "24/7"]
Cell: TypeAlias = str | int | Decimal | bool | None
"""True and False are the agreement's yes and dash; ``None`` is a dash where others have a value."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: its key here, the agreement's words, what it means, its unit, and levels 1 to 4."""

    key: str
    tr: str
    en: str
    unit: str
    cells: tuple[Cell, Cell, Cell, Cell]


_ALL: Final = (True, True, True, True)
_FROM_2: Final = (False, True, True, True)
_FROM_3: Final = (False, False, True, True)
_ONLY_4: Final = (False, False, False, True)

CATALOGUE: Final = (
    Row("initial_setup", "İlk Kurulum ve ayarlar", "First installation and settings", "", _ALL),
    Row("reinstalls", "Yeniden Kurulum (İşletim Sistemi)", "Reinstallation of the system", "a year", (1, 2, 2, 4)),
    Row("power", "Power On - Power Off - Restart", "Power on, power off, restart", "", _ALL),
    Row("remote_management", "ILO IPMI IDRAC v.b", "iLO, IPMI, iDRAC and the like", "", _ALL),
    Row("kvm", "KVM Over IP / Virtual Media", "KVM over IP, virtual media", "hours a month", (4, 8, 12, 24)),
    Row("rescue_mode", "Kurtarma modu", "Rescue mode", "", _ALL),
    Row("password_reset", "Şifre Sıfırlama", "Password reset", "", _ALL),
    Row("hardware_replacement", "Donanım Değişimi", "Replacement of hardware", "", _ALL),
    Row("system_updates", "İşletim Sistemi Güncelleme", "Updates of the system", "", _FROM_2),
    Row("panel_support", "Kontrol Panel Desteği (cPanel - Plesk - Directadmin)", "Control panel support", "", _FROM_3),
    Row("panel_reinstall", "Kontrol Panel yeniden kurulum", "Reinstallation of the control panel", "", _FROM_3),
    Row("periodic_updates", "Periyodik Güncelleme", "Periodic updates", "", _ONLY_4),
    Row("monitoring", "Sunucu İzleme", "Monitoring", "", (None, "ping", "ping", "ping + 2 services")),
    Row("service_checks", "Servis kontrolü", "Service checks", "", _FROM_2),
    Row("service_updates", "Servis Versiyon Güncelleme", "Updates of services", "", _FROM_3),
    Row("service_tuning", "Servis optimizasyonu", "Tuning of services", "", _FROM_3),
    Row("resource_and_log_watch", "Sistem Kaynak ve Log takibi", "Watch on resources and logs", "", _ONLY_4),
    Row("attack_detection", "Saldırı Tespit", "Detection of attacks", "", _FROM_3),
    Row("mail_problems", "Email Problemleri", "Mail problems", "", _FROM_2),
    Row(
        "foreign_firewall",
        "Yurtdışı Firewall Hizmeti",
        "Firewall abroad",
        "",
        ("optional", "optional", "optional", True),
    ),
    Row("package_installation", "Paket kurulum desteği", "Installation of packages", "", _FROM_3),
    Row("ticket_response", "Destek Bileti", "First response to a ticket", "hours at most", (24, 8, 4, 1)),
    Row("email_response", "E-Posta", "First response to an e-mail", "hours at most", (24, 8, 4, 1)),
    Row("phone", "Telefon", "Phone", "", (None, "09-18", "09-18", "24/7")),
    Row(
        "fee_usd",
        "Aylık Ücret",
        "Monthly fee",
        "USD",
        (Decimal(0), Decimal("9.99"), Decimal("49.99"), Decimal("99.99")),
    ),
)


@dataclass(frozen=True, slots=True)
class SupportLevel:
    """What the program needs of one column of the table; the rest is in ``CATALOGUE``."""

    level: int
    monitoring: Monitoring
    services: int
    """How many services are monitored beside ping, at most."""
    ticket_hours: int
    """First response to a ticket, at most."""
    email_hours: int
    """First response to an e-mail, at most."""
    phone: PhoneHours | None
    fee_usd: Decimal
    """A month."""
    reinstalls_per_year: int
    kvm_hours_per_month: int

    @property
    def monitored(self) -> bool:
        """Whether servers of this level are probed at all."""
        return self.monitoring != "none"


def _level(number: int) -> SupportLevel:
    cells = {row.key: row.cells[number - 1] for row in CATALOGUE}
    monitoring, fee = cells["monitoring"] or "none", cells["fee_usd"]
    assert isinstance(fee, Decimal)
    return SupportLevel(
        level=number,
        monitoring=cast("Monitoring", monitoring),
        services=2 if monitoring == "ping + 2 services" else 0,
        ticket_hours=_whole(cells["ticket_response"]),
        email_hours=_whole(cells["email_response"]),
        phone=cast("PhoneHours | None", cells["phone"]),
        fee_usd=fee,
        reinstalls_per_year=_whole(cells["reinstalls"]),
        kvm_hours_per_month=_whole(cells["kvm"]),
    )


def _whole(cell: Cell) -> int:
    assert isinstance(cell, int)
    return cell


LEVELS: Final[Mapping[int, SupportLevel]] = {number: _level(number) for number in (1, 2, 3, 4)}
"""The columns of the catalogue: there is one table, and this is read out of it."""
