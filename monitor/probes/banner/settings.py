"""The keys of the check types of ``protocols.py``: a dataclass made from each row."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import TYPE_CHECKING

from monitor.probes.banner.protocols import BANNER_PROTOCOLS
from monitor.probes.settings import (
    ClearOrTlsSettings,
    LoginSettings,
    StarttlsSettings,
    flag_key,
    is_host,
    key,
    port_key,
)

if TYPE_CHECKING:
    from monitor.probes.banner.protocols import BannerProtocol


@dataclass(frozen=True, slots=True)
class BannerSettings(StarttlsSettings):
    """All that a conversation may be told; a type has those of the keys that its protocol knows."""

    port: int = 0
    tls: bool = False
    helo_name: str | None = None


def settings_type(protocol: BannerProtocol) -> type:
    """Return the dataclass of keys of a protocol of the table."""
    return _SETTINGS_TYPES[protocol.name]


def protocol_of(settings: object) -> BannerProtocol:
    """Return the protocol that settings of one of these types belong to."""
    return _PROTOCOLS[type(settings)]


def _helo_name_key() -> object:
    return key(
        default=None,
        doc="the name that EHLO says; the monitor's own address in brackets unless given",
        allowed='a host name like "monitor.example.com"',
        check=lambda name: is_host(name) and ":" not in name and not name.rpartition(".")[2].isdigit(),
    )


def _make_settings_type(protocol: BannerProtocol) -> type:
    keys: list[tuple[str, object, object]] = [("port", int, port_key(protocol.port))]
    if protocol.starttls_default is not None:
        doc = "whether the connection must be upgraded to TLS"
        keys.append(("starttls", bool, flag_key(default=protocol.starttls_default, doc=doc)))
    if protocol.has_helo_name:
        keys.append(("helo_name", str | None, _helo_name_key()))
    base = (
        ClearOrTlsSettings
        if protocol.has_tls_key
        else LoginSettings
        if protocol.starttls_default is None
        else StarttlsSettings
    )
    name = f"{protocol.name.title()}Settings"
    return make_dataclass(name, keys, bases=(base,), frozen=True, slots=True, namespace={"__module__": __name__})


_SETTINGS_TYPES = {protocol.name: _make_settings_type(protocol) for protocol in BANNER_PROTOCOLS}
_PROTOCOLS = {_SETTINGS_TYPES[protocol.name]: protocol for protocol in BANNER_PROTOCOLS}
# pickle finds a class by its name in this module: the configuration is read in another process
globals().update({made.__name__: made for made in _SETTINGS_TYPES.values()})
