"""Opening a TCP connection, and whose fault it is where that fails."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from monitor.probes.failures import local, of_connection

if TYPE_CHECKING:
    from monitor.probes.net.address import Address

_TCP_INFO = struct.Struct("@68xI28xI")
"""Of the kernel's ``struct tcp_info``: ``tcpi_rtt`` and ``tcpi_total_retrans``."""


async def connect(address: Address, port: int) -> socket.socket:
    """Connect to one address; the caller sets the deadline and closes the socket. Raises ``NotOkError``."""
    try:
        sock = socket.socket(address.family, socket.SOCK_STREAM)
    except OSError as error:
        raise local(error) from None
    try:
        sock.settimeout(0)
        await asyncio.get_running_loop().sock_connect(sock, address.sockaddr(port))
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise of_connection(error, address) from None
        raise
    return sock


def handshake_us(sock: socket.socket) -> int | None:
    """Give the kernel's own measure of the handshake in microseconds, without the event loop's delay.

    None where it has none, or where a packet of it was lost: then only the time that passed is the truth.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    if len(info) < _TCP_INFO.size:
        return None
    rtt, retransmitted = _TCP_INFO.unpack_from(info)
    return int(rtt) if rtt and not retransmitted else None
