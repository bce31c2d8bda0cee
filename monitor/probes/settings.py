"""How a check type declares its keys, so that the configuration decodes them without knowing the type.

The settings of a type are a frozen dataclass. A field without a default must be given. Its type is one of ``str``,
``int``, ``bool``, ``Path`` (relative to the file it stands in), a ``Literal`` of texts, a ``tuple`` of one of these
with ``...``, or one of these with ``| None``. What two keys must be together is asked by ``together``: a method that
gets the server's address and gives the key at fault and what is allowed, or None.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_HIGHEST_PORT = 65535
_LONGEST_NAME = 253

_REQUIRED: Any = object()


def key(*, default: Any = _REQUIRED, doc: str, allowed: str, check: Callable[[Any], bool]) -> Any:
    """Declare one key of a check type: its default, one line of help, what is allowed in words, and the test of it.

    The metadata of the field carries ``doc``, ``allowed`` and ``check``; ``check(value)`` is asked only about values
    of the declared type other than None, after a ``Path`` was made absolute.
    """
    metadata = {"doc": doc, "allowed": allowed, "check": check}
    if default is _REQUIRED:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def is_host(text: str) -> bool:
    """Whether ``text`` is an IPv4 address, an IPv6 address (a scope allowed) or a host name that could be looked up."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _is_name(text)
    return not (address.is_unspecified or address.is_multicast or text == "255.255.255.255")


def _is_name(text: str) -> bool:
    bare = text.removesuffix(".")
    if not bare or len(bare) > _LONGEST_NAME:
        return False
    labels = bare.split(".")
    # a last label that is a number is a mistyped IPv4 address: the resolver would read "10.1" as 10.0.0.1
    return all(_LABEL.fullmatch(label) for label in labels) and not _NUMBER.fullmatch(labels[-1])


def is_loopback(name: str) -> bool:
    """Say whether a host is this very machine, by its name alone: nothing is resolved."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_port(number: int) -> bool:
    """Whether ``number`` can be connected to: 1 to 65535."""
    return 1 <= number <= _HIGHEST_PORT


def host_key() -> Any:
    """Declare the key ``host``, that every type without a ``url`` has."""
    return key(
        default=None,
        doc="what to probe; the server's address unless given",
        allowed="an IPv4 address, an IPv6 address or a host name",
        check=is_host,
    )


def port_key(default: int) -> Any:
    """Declare the key ``port`` with the type's own port."""
    return key(default=default, doc="the port to connect to", allowed="a port, 1 to 65535", check=is_port)


def family_key() -> Any:
    """Declare the key ``family``: which addresses of a name are tried."""
    return key(
        default="any",
        doc="which of a name's addresses are tried: IPv4 only, IPv6 only, or both, the first to answer",
        allowed='"any", "4" or "6"',
        check=anything,
    )


def flag_key(*, default: bool, doc: str) -> Any:
    """Declare a key that is ``true`` or ``false``."""
    return key(default=default, doc=doc, allowed="true or false", check=anything)


def anything(_value: object) -> bool:
    """Allow every value of the declared type."""
    return True
