"""Where a redirect can lead: to a name, or to an address that a connection can be made to from anywhere.

What the kernel refuses to connect to would look like a fault of the monitor's own machine.
"""

from __future__ import annotations

import errno
import ipaddress
import socket

from monitor.probes.settings import is_host

_NOWHERE = tuple(map(ipaddress.ip_network, ("0.0.0.0/8", "240.0.0.0/4", "::/128", "fe80::/10", "100::/64")))


def leads_on(host: str) -> bool:
    """Whether ``host``, in ASCII, is a name that could be looked up, or an address that is one machine's.

    A broadcast address of one of the monitor's own networks is none, nor one that means something on one link only.
    """
    if "%" in host or not is_host(host):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None:
            return _is_one(address)
        address = inner
    return _is_one(address) and not address.is_multicast and not _is_broadcast(str(address))


def _is_one(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not any(address in network for network in _NOWHERE)


def _is_broadcast(host: str) -> bool:
    """Ask the kernel, which alone knows the networks; nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            if sock.connect_ex((host, 9)) != errno.EACCES:
                return False
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            return sock.connect_ex((host, 9)) == 0
    except OSError:  # no socket: whoever connects meets that too, and says whose fault it is
        return False
