"""Faults of the lab's network at moments that are known: the truth that a daemon's books are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.lab_listeners import Moment, now
from tests.integration.network_lab import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.network_lab import Lab

_WIRE = """
table ip wire {
  chain everything { type filter hook prerouting priority -300; policy accept;
  }
  chain some { type filter hook input priority 10; policy accept;
  }
}
"""


def timed(deed: Callable[[], object]) -> Moment:
    """Do something and say when it took effect."""
    before = now()
    deed()
    return Moment(before, now())


class Faults:
    """Takes servers down and brings them up, one by one or all at once."""

    def __init__(self, net: Lab) -> None:
        self._net = net
        run(*net.server_command("nft", "-f", "-"), text=_WIRE)

    def take_down(self, *addresses: str) -> Moment:
        """Let these be silent."""
        return timed(lambda: self._net.take_down(*addresses))

    def bring_up(self, *addresses: str) -> Moment:
        """Let these answer again."""
        return timed(lambda: self._net.bring_up(*addresses))

    def cut_all(self) -> Moment:
        """Let everything be silent: the monitor cannot see out."""
        return self._nft("add rule ip wire everything drop")

    def mend_all(self) -> Moment:
        """Let the monitor see out again."""
        return self._nft("flush chain ip wire everything")

    def drop_every_third(self, address: str) -> Moment:
        """Drop every third packet that is for an address."""
        return self._nft(f"add rule ip wire some ip daddr {address} numgen inc mod 3 0 drop")

    def unplug(self) -> Moment:
        """Take the monitor's own line down."""
        return timed(self._net.link_down)

    def plug(self) -> Moment:
        """Take the monitor's own line up again."""
        return timed(self._net.link_up)

    def _nft(self, command: str) -> Moment:
        return timed(lambda: run(*self._net.server_command("nft", command)))
