"""Notifies the service manager: ready, reloading, stopping, watchdog and one line of status.

This is the sd_notify protocol: datagrams of ``KEY=value`` lines to the socket named by ``NOTIFY_SOCKET``. Without that
variable every method does nothing, so the daemon runs the same by hand. No method raises: a service manager that does
not read must not stop the monitor.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SEND_TIMEOUT = 0.5
"""Seconds that a change of state waits for a busy service manager; pings and status lines do not wait at all."""

PINGS_PER_WATCHDOG_PERIOD = 3
"""More than one, so that a single lost or late ping does not restart the daemon."""

log = logging.getLogger(__name__)


class SystemdNotifier:
    """One open socket to the service manager, or none.

    The socket is opened once, since a ping must be sent even if the process has no free descriptors. Python opens it
    close-on-exec. Each message names the address again, so a re-execution of the manager does no harm.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket = _open_socket() if self._address else None
        self._warned = False

    @property
    def enabled(self) -> bool:
        """Whether there is a service manager to notify."""
        return self._socket is not None

    def ready(self, status: str = "") -> None:
        """Report that the start or a reload is complete; ``status`` as in ``status()``, empty: no change."""
        self._send(_state_message("READY=1", status), SEND_TIMEOUT)

    def status(self, text: str) -> None:
        """Set the one line that ``systemctl status`` shows; line breaks in it become spaces."""
        self._send(_state_message("", text), 0)

    def reloading(self) -> None:
        """Report that a reload has begun; ``ready()`` must follow, even if the new configuration is refused."""
        # the manager compares this with the system's CLOCK_MONOTONIC, not with the clock passed in
        micros = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={micros}", SEND_TIMEOUT)

    def stopping(self) -> None:
        """Report that the daemon has begun to stop."""
        self._send("STOPPING=1", SEND_TIMEOUT)

    def watchdog(self) -> None:
        """Report that the event loop runs; call this every ``watchdog_interval()`` seconds."""
        self._send("WATCHDOG=1", 0)

    def watchdog_interval(self) -> float | None:
        """Return the seconds between pings, a third of the manager's limit; None if it does not watch this process."""
        if not self.enabled or self._environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        allowed = self._environ.get("WATCHDOG_USEC", "")
        if not allowed.isdecimal() or int(allowed) == 0:
            return None
        return int(allowed) / 1_000_000 / PINGS_PER_WATCHDOG_PERIOD

    def close(self) -> None:
        """Close the socket; later messages are not sent. May be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str, timeout: float) -> None:
        if self._socket is None:
            return
        try:
            self._socket.settimeout(timeout)
            self._socket.sendto(message.encode(errors="replace"), self._address)
        except OSError as error:
            if not self._warned:
                log.warning("the service manager did not take %s: %s", message.partition("=")[0], error)
            self._warned = True
        else:
            self._warned = False


def _address(name: str) -> str:
    """Return the socket's address: a path, or a name in the abstract namespace; empty if it is neither."""
    if name.startswith("/"):
        return name
    return f"\0{name[1:]}" if name.startswith("@") and len(name) > 1 else ""


def _open_socket() -> socket.socket | None:
    try:
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError as error:
        log.warning("no socket to tell the service manager anything: %s", error)
        return None


def _state_message(state: str, status: str) -> str:
    parts = [state] if state else []
    if status or not state:
        parts.append("STATUS=" + " ".join(status.split()))
    return "\n".join(parts)
