"""TLS on any port: the chain, the name, the days that are left, and the lowest version that is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.probes.net.connection import ConnectionProbe

if TYPE_CHECKING:
    from monitor.probes.net.connection import Session
    from monitor.probes.tls.settings import TlsOnlySettings


class TlsProbe(ConnectionProbe["TlsOnlySettings"]):
    """Completes a TLS handshake."""

    __slots__ = ()

    async def run_session(self, session: Session[TlsOnlySettings]) -> None:
        """Shake hands; nothing is said after that."""
        await session.start_tls(session.settings)
