"""Configurations for tests: the smallest parts of one, put together and written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config import Config, load
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.errors import Fault

HERE = Path(__file__).parent

CUSTOMER = """
[[customer]]
id = "acme"
name = "Acme Ltd"
emails = ["it@acme.example"]
"""
SERVER = """
[[server]]
id = "web-01"
address = "192.0.2.10"
level = 4
"""
SERVICE = """
[[server.service]]
name = "site"
type = "https"
url = "https://www.acme.example/"
"""
SUBSCRIPTION = """
[[subscription]]
id = "acme-web-01"
customer = "acme"
server = "web-01"
product = "web-hosting"
"""
COMPLETE_CONFIG = CUSTOMER + SERVER + SERVICE + SUBSCRIPTION


def load_text(folder: Path, text: str, name: str = "config.toml") -> Config:
    """Write the text as a configuration in a folder, and load it."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return load(file)


def faults_of(folder: Path, text: str) -> tuple[Fault, ...]:
    """Write the text as a configuration in a folder, and return what is wrong with it; nothing if it loads."""
    try:
        load_text(folder, text)
    except ConfigError as error:
        return error.faults
    return ()
