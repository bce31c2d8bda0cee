"""A numeric address, as the sockets take it, and which of several an attempt takes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Address(NamedTuple):
    """A numeric address."""

    family: socket.AddressFamily
    host: str
    scope: int = 0
    """The interface's number, of a link-local IPv6 address."""

    def sockaddr(self, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        """As the socket calls take it."""
        if self.family == socket.AF_INET:
            return (self.host, port)
        return (self.host, port, 0, self.scope)

    def __str__(self) -> str:
        return f"{self.host}%{self.scope}" if self.scope else self.host


class AddressRotation:
    """Which address of a name an attempt takes, where each attempt takes one: after a failure, the next.

    So a retry reaches a server of which one address is dead.
    """

    __slots__ = ("_failed",)

    def __init__(self) -> None:
        self._failed: Address | None = None

    def choose(self, addresses: Sequence[Address]) -> Address:
        """Return the preferred address, or the one after that which failed last; there must be one."""
        if self._failed not in addresses:
            return addresses[0]
        return addresses[(addresses.index(self._failed) + 1) % len(addresses)]

    def note(self, address: Address, *, failed: bool) -> None:
        """Note how an attempt at an address ended."""
        self._failed = address if failed else None
