"""Faults of the lab's network at moments that are known: the truth that a daemon's books are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.lab_listeners import TimeRange, now_ms
from tests.integration.network_lab import run_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.network_lab import NetworkLab

_NFT_TABLE = """
table ip wire {
  chain everything { type filter hook prerouting priority -300; policy accept;
  }
  chain some { type filter hook input priority 10; policy accept;
  }
}
"""


def time_action(action: Callable[[], object]) -> TimeRange:
    """Do something and say when it took effect."""
    before = now_ms()
    action()
    return TimeRange(before, now_ms())


class NetworkFaults:
    """Takes servers down and brings them up, one by one or all at once."""

    def __init__(self, net: NetworkLab) -> None:
        self._net = net
        run_program(*net.server_command("nft", "-f", "-"), text=_NFT_TABLE)

    def take_down(self, *addresses: str) -> TimeRange:
        """Let these be silent."""
        return time_action(lambda: self._net.take_down(*addresses))

    def bring_up(self, *addresses: str) -> TimeRange:
        """Let these answer again."""
        return time_action(lambda: self._net.bring_up(*addresses))

    def drop_all(self) -> TimeRange:
        """Let everything be silent: the monitor cannot see out."""
        return self._nft("add rule ip wire everything drop")

    def restore_all(self) -> TimeRange:
        """Let the monitor see out again."""
        return self._nft("flush chain ip wire everything")

    def drop_every_third(self, address: str) -> TimeRange:
        """Drop every third packet that is for an address."""
        return self._nft(f"add rule ip wire some ip daddr {address} numgen inc mod 3 0 drop")

    def link_down(self) -> TimeRange:
        """Take the monitor's own line down."""
        return time_action(self._net.link_down)

    def link_up(self) -> TimeRange:
        """Take the monitor's own line up again."""
        return time_action(self._net.link_up)

    def _nft(self, command: str) -> TimeRange:
        return time_action(lambda: run_program(*self._net.server_command("nft", command)))
