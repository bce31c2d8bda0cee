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
    keys: tuple[tuple[str, str | int], ...]
    """What to set; ``ADDRESS`` stands for the server's own name or address."""


_WEB = (("url", "http://ADDRESS/"),)

PRESETS = (
    Preset("iis", "web", "http", _WEB),
    Preset("apache", "web", "http", _WEB),
    Preset("litespeed", "web", "http", _WEB),
    Preset("mailenable", "mail", "tcp", (("port", 25),)),
    Preset("exim", "mail", "tcp", (("port", 25),)),
    Preset("mssql", "database", "tcp", (("port", 1433),)),
    Preset("mysql", "database", "tcp", (("port", 3306),)),
    Preset("cpanel", "control panel", "tcp", (("port", 2083),)),
    Preset("plesk", "control panel", "tcp", (("port", 8443),)),
    Preset("directadmin", "control panel", "tcp", (("port", 2222),)),
)
