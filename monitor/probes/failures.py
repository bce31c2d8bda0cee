"""Whose fault is it: the monitor must not accuse (docs/contract.md#from-results-to-time).

An error that the monitor's own machine raised says nothing about the server; one that came from the network does. The
kernel gives both by the same numbers, so where a number is ambiguous the machine's own routing table is asked.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from monitor.errors import shortage
from monitor.model import Outcome, Reason

if TYPE_CHECKING:
    from monitor.probes.net.address import Address


class ProbeError(Exception):
    """Ends an attempt that did not succeed, with whose fault that was and why."""

    def __init__(self, outcome: Outcome, reason: str, explanation: str = "") -> None:
        """``explanation`` is what a library says of it, shown by ``monitor probe`` and recorded nowhere."""
        self.outcome = outcome
        self.reason = reason
        self.explanation = explanation
        super().__init__(reason)


def server_failure(word: Reason, detail: str = "") -> ProbeError:
    """Say that the server is at fault; ``detail`` is in our own words, see ``Reason.with_detail``."""
    return ProbeError(Outcome.FAIL, word.with_detail(detail))


def monitor_failure(reason: str) -> ProbeError:
    """Say that the monitor is at fault."""
    return ProbeError(Outcome.UNKNOWN, reason)


NO_ROUTE = "no route"
NO_PERMISSION = "not permitted"
NO_DESCRIPTOR = "no file descriptor"
NO_BUFFER = "no buffer space"
NO_MEMORY = "no memory"
NO_THREAD = "no thread"
SHORTAGES = frozenset({NO_DESCRIPTOR, NO_BUFFER, NO_MEMORY, NO_THREAD})
"""The reasons of results that are unknown because the monitor lacks resources of its own."""

_NETWORK_ERRORS = {
    errno.ECONNREFUSED: (Reason.REFUSED, ""),
    errno.ECONNRESET: (Reason.RESET, ""),
    errno.ECONNABORTED: (Reason.RESET, ""),
    errno.EPIPE: (Reason.RESET, ""),
    errno.ETIMEDOUT: (Reason.TIMEOUT, ""),
    errno.EHOSTDOWN: (Reason.UNREACHABLE, "host"),
    errno.ENONET: (Reason.UNREACHABLE, "host"),
    errno.ENOPROTOOPT: (Reason.UNREACHABLE, "protocol"),
    errno.EPROTO: (Reason.PROTOCOL, ""),
}
"""What only a packet from the network can cause."""

_AMBIGUOUS_ERRORS = {
    errno.EHOSTUNREACH: (Reason.UNREACHABLE, "host"),
    errno.ENETUNREACH: (Reason.UNREACHABLE, "network"),
    errno.EACCES: (Reason.UNREACHABLE, "prohibited"),
}
"""What an ICMP error from the network causes, and the machine's own lack of a route too."""

_LOCAL_ERRORS = {
    errno.EHOSTUNREACH: NO_ROUTE,
    errno.ENETUNREACH: NO_ROUTE,
    errno.EINVAL: NO_ROUTE,  # a blackhole route, among others
    errno.ENETDOWN: "network down",
    errno.ENODEV: "no such interface",
    errno.ENXIO: "no such interface",
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,  # the machine's own packet filter says so too
    errno.EADDRNOTAVAIL: "no local address",
    errno.EADDRINUSE: "no local address",
    errno.EAFNOSUPPORT: "address family not supported",
    errno.EMFILE: NO_DESCRIPTOR,
    errno.ENFILE: NO_DESCRIPTOR,
    errno.ENOBUFS: NO_BUFFER,
    errno.ENOMEM: NO_BUFFER,
    errno.EAGAIN: NO_BUFFER,
    errno.EMSGSIZE: "packet too large",
}


def local_os_failure(error: OSError) -> ProbeError:
    """Judge an error that only this machine can have raised (a socket not made, a datagram not taken): always ours."""
    return monitor_failure(_LOCAL_ERRORS.get(error.errno or 0) or _error_name(error))


def connection_failure(error: OSError, address: Address | None, source: Address | None = None) -> ProbeError:
    """Judge an error of connecting to or talking with ``address``, from ``source``; None where it is not known.

    A number that is not known to come from the network is ours: better nothing said than something wrong.
    """
    number = error.errno or 0
    if number in _NETWORK_ERRORS:
        return server_failure(*_NETWORK_ERRORS[number])
    if isinstance(error, ConnectionError) and not number:  # the event loop raises some without a number
        return server_failure(Reason.RESET)
    if number in _AMBIGUOUS_ERRORS and address is not None:
        return route_failure(address, source) or server_failure(*_AMBIGUOUS_ERRORS[number])
    return local_os_failure(error)


def route_failure(address: Address, source: Address | None = None) -> ProbeError | None:
    """Ask the machine's own routing table about ``address``: None where a packet would leave, else what keeps it.

    A machine may have other routes for packets from ``source``.

    Connecting a datagram socket looks the route up and sends nothing.
    """
    try:
        with socket.socket(address.family, socket.SOCK_DGRAM) as probe:
            if source is not None:
                probe.bind(source.sockaddr(0))
            probe.connect(address.sockaddr(port=9))
    except OSError as error:
        return local_os_failure(error)
    return None


def unexpected_failure(error: Exception) -> ProbeError:
    """Judge an error that no probe expects: always the monitor's, by its name unless it is a lack of resources."""
    if isinstance(error, MemoryError):
        return monitor_failure(NO_MEMORY)
    if isinstance(error, RuntimeError) and shortage(error):
        return monitor_failure(NO_THREAD)
    if isinstance(error, OSError):
        return local_os_failure(error)
    return monitor_failure(f"error {type(error).__name__}")


def _error_name(error: OSError) -> str:
    return f"error {errno.errorcode.get(error.errno or 0, type(error).__name__)}"
