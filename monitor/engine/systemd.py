"""What the daemon tells the service manager: ready, reloading, stopping, alive, and one line on how it goes.

This is the sd_notify protocol: datagrams of ``KEY=value`` lines to the socket named by ``NOTIFY_SOCKET``. Without that
variable every method does nothing, so the daemon runs the same by hand. Nothing here ever raises: a monitor must not
fall because its supervisor did not listen.
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
"""So that one ping that was lost, or came late, restarts nothing."""

log = logging.getLogger(__name__)


class SystemdNotifier:
    """One open socket to the service manager, or none.

    The socket is opened once, for a ping must get through also when the process has run out of descriptors. Python
    opens it close-on-exec. Each message names the address anew, which survives a re-execution of the manager.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket = _open_socket() if self._address else None
        self._warned = False

    @property
    def enabled(self) -> bool:
        """Whether anyone is told anything."""
        return self._socket is not None

    def ready(self, status: str = "") -> None:
        """Say that the start, or a reload, is complete; ``status`` as in ``status()``, empty leaves it as it is."""
        self._send(_state_message("READY=1", status), SEND_TIMEOUT)

    def status(self, text: str) -> None:
        """Set the one line that ``systemctl status`` shows; line breaks in it become spaces."""
        self._send(_state_message("", text), 0)

    def reloading(self) -> None:
        """Say that a reload has begun; ``ready()`` must follow, whether the new configuration was taken or not."""
        # the manager compares with its own CLOCK_MONOTONIC: the passed-in clock's scale would mean nothing to it
        micros = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={micros}", SEND_TIMEOUT)

    def stopping(self) -> None:
        """Say that the daemon has begun to stop."""
        self._send("STOPPING=1", SEND_TIMEOUT)

    def watchdog(self) -> None:
        """Say that the daemon's loop turns; to be called every ``watchdog_interval()`` seconds."""
        self._send("WATCHDOG=1", 0)

    def watchdog_interval(self) -> float | None:
        """Seconds between pings, a third of what the manager allows; None where it does not watch this process."""
        if not self.enabled or self._environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        allowed = self._environ.get("WATCHDOG_USEC", "")
        if not allowed.isdecimal() or int(allowed) == 0:
            return None
        return int(allowed) / 1_000_000 / PINGS_PER_WATCHDOG_PERIOD

    def close(self) -> None:
        """Close the socket; whatever is said afterwards is not sent. May be called twice."""
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
    """Return the socket's address: a path, or a name in the abstract namespace; empty where it is neither."""
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
