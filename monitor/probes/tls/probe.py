"""TLS on any port: the chain, the name, the days that are left, and the lowest version that is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.probes.dial import Call
    from monitor.probes.tls.settings import TlsOnlySettings


async def converse(call: Call[TlsOnlySettings]) -> None:
    """Shake hands; nothing is said after that."""
    await call.start_tls(call.settings, call.settings.lowest_version)
