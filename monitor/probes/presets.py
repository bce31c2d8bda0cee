"""Ready-made checks for the software that support covers (8.1): lines to copy into a ``[[server.service]]``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """How a piece of software is best watched with the check types that there are."""

    name: str
    kind: str
    """What support calls it: ``web``, ``mail``, ``database`` or ``control panel``."""
    type: str
    """A key of the table of check types."""
    keys: tuple[tuple[str, str | int | bool | tuple[str, ...]], ...]
    """What to set; ``ADDRESS`` stands for the server's own name or address."""


_WEB = (("url", "https://ADDRESS/"), ("status", ("200-399",)))

PRESETS = (
    Preset("iis", "web", "https", _WEB),
    Preset("apache", "web", "https", _WEB),
    Preset("litespeed", "web", "https", _WEB),
    Preset("exim", "mail", "smtp", (("port", 25), ("starttls", True), ("verify_certificate", False))),
    Preset("mailenable", "mail", "smtp", (("port", 25),)),
    Preset("mssql", "database", "mssql", (("port", 1433),)),
    Preset("mysql", "database", "mysql", (("port", 3306),)),
    Preset("cpanel", "control panel", "https", (("url", "https://ADDRESS:2083/"), ("status", ("200", "301", "302")))),
    Preset(
        "cpanel-whm", "control panel", "https", (("url", "https://ADDRESS:2087/"), ("status", ("200", "301", "302")))
    ),
    Preset("plesk", "control panel", "https", (("url", "https://ADDRESS:8443/"), ("status", ("200", "302", "303")))),
    Preset("directadmin", "control panel", "https", (("url", "https://ADDRESS:2222/"), ("status", ("200", "302")))),
)
