"""A numeric address, as the sockets take it."""

from __future__ import annotations

import socket
from typing import NamedTuple


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
