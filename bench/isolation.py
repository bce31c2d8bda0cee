"""Isolation from other programs: a separate network, or at least unused ports.

Each part has its own fixed ports. Two benches at once would measure each other's servers.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

PORTS = range(19_870, 19_960)
"""The ports of all parts."""
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 0x1
_REQUEST = struct.Struct("16sh14x")


def enter_own_network() -> bool:
    """Move this process and its children into a network with loopback only; return False if it is not permitted."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return False
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK) != 0:
        return False  # a container may forbid it even to root
    with socket.socket() as sock:
        fcntl.ioctl(sock, _SET_FLAGS, _REQUEST.pack(b"lo", _UP))
    return True


def occupied_ports() -> list[int]:
    """Return the ports that are in use."""
    return [port for port in PORTS if not _is_free(port)]


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports in TIME_WAIT are free
        try:
            sock.bind(("", port))
        except OSError:
            return False
        return True
