"""A probe over one connection: connect, perhaps speak TLS at once, then hold the conversation of its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from monitor.probes.net.connection import Wire
from monitor.probes.reach import in_turn, reach
from monitor.probes.trace import RESOLVE, follow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from monitor.probes.probe import Attempt, Target
    from monitor.probes.resources import Instruments
    from monitor.probes.trace import Trail


class Dialled(Protocol):
    """As much of a type's settings as connecting hangs on."""

    @property
    def host(self) -> str | None:
        """What to connect to; the server's address where it is None."""

    @property
    def port(self) -> int:
        """The port."""

    @property
    def family(self) -> str:
        """Which of a name's addresses: ``any``, ``4``, ``6``."""


class Secured(Protocol):
    """As much of a type's settings as TLS hangs on."""

    @property
    def server_name(self) -> str | None:
        """The name that is asked for, and that the certificate must have."""

    @property
    def verify_certificate(self) -> bool:
        """Whether the certificate is judged."""

    @property
    def ca_file(self) -> Path | None:
        """Which authorities are trusted."""


S = TypeVar("S", bound=Dialled)


class Call(Generic[S]):
    """What a conversation has at hand."""

    def __init__(self, wire: Wire, host: str, settings: S, tools: Instruments) -> None:
        self.wire = wire
        self.host = host
        self.settings = settings
        self.tools = tools

    async def start_tls(self, settings: Secured, floor: str = "TLSv1.2") -> None:
        """Speak TLS from here on, as the keys say. Raises ``NotOkError``."""
        context = self.tools.tls.get(verify=settings.verify_certificate, ca_file=settings.ca_file, floor=floor)
        await self.wire.start_tls(context, (settings.server_name or self.host).rstrip(".").partition("%")[0])

    def password(self, file: Path) -> str:
        """Read a password, which no step will show. Raises ``NotOkError``, unknown, where it cannot be read."""
        password = self.tools.secrets.read(file)
        self.wire.trail.hide(password)
        return password


class DialledProbe(Generic[S]):
    """Connects, and holds a conversation that returns where all is well and raises ``NotOkError`` where not."""

    __slots__ = ("_converse", "_settings", "_tools")

    def __init__(self, settings: S, tools: Instruments, converse: Callable[[Call[S]], Awaitable[None]]) -> None:
        self._settings = settings
        self._tools = tools
        self._converse = converse

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once; of a name with several addresses, at the first that takes the connection."""

        async def look(trail: Trail) -> None:
            await self._look(trail, self._settings.host or target.host)

        return await follow(self._tools.clock, timeout, look)

    async def _look(self, trail: Trail, host: str) -> None:
        trail.begin(RESOLVE, host)
        found = in_turn(await self._tools.resolver.routed(host), self._settings.family)
        trail.resolved(host, found)
        address, sock = await reach(trail, found, self._settings.port)
        wire = Wire(sock, address, trail)
        try:
            await self._converse(Call(wire, host, self._settings, self._tools))
        finally:
            wire.close()
