"""Connecting to the addresses of a name, out of a coroutine: ``opening`` is by callbacks."""

from __future__ import annotations

import asyncio
import socket
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from monitor.probes.failures import ours
from monitor.probes.net.tcp_connect import Opening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.probes.failures import NotOkError
    from monitor.probes.net.address import Address
    from monitor.probes.trace import Trail

FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6}
NO_SUCH_ADDRESS = "no address of that family"


def in_turn(addresses: Sequence[Address], family: str) -> list[Address]:
    """Order addresses for trying: families take turns, the preferred one first; ``4`` and ``6`` leave only theirs.

    Raises ``NotOkError``, unknown, where none is left.
    """
    kept = [each for each in addresses if each.family is FAMILIES.get(family, each.family)]
    if not kept:
        raise ours(NO_SUCH_ADDRESS)
    first = [each for each in kept if each.family is kept[0].family]
    second = [each for each in kept if each.family is not kept[0].family]
    return [each for each in chain.from_iterable(zip_longest(first, second)) if each is not None]


async def reach(trail: Trail, addresses: Sequence[Address], port: int) -> tuple[Address, socket.socket]:
    """Connect to the first address that answers; the caller sets the deadline and closes the socket.

    Raises ``NotOkError`` where all refuse, see ``Opening``.
    """
    landed: asyncio.Future[tuple[Address, socket.socket]] = asyncio.get_running_loop().create_future()

    def opened(sock: socket.socket, address: Address) -> None:
        if landed.done():  # the deadline has passed in this very turn
            sock.close()
        else:
            landed.set_result((address, sock))

    def refused(error: NotOkError) -> None:
        if not landed.done():
            landed.set_exception(error)

    opening = Opening(trail, addresses, port, opened, refused)
    opening.begin()
    try:
        return await landed
    except asyncio.CancelledError:
        if landed.done() and not landed.cancelled() and landed.exception() is None:
            landed.result()[1].close()
        raise
    finally:
        opening.give_up()
