"""What must hold between tables: references lead somewhere, parents form no circle, products can be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.config.faults import nearest
from monitor.config.toml_writer import shown
from monitor.sla.terms import PRODUCTS, WEB_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.config.decode import Values
    from monitor.config.entries import Entries, Entry
    from monitor.config.faults import Faults


def check_references(contract: Values, entries: Entries, faults: Faults, *, complete: bool) -> None:
    """Note what hangs on something that is not there, or not fit for it.

    Where the files are not ``complete``, what is not there may stand in the one that could not be read: nothing is
    said of it then.
    """
    if complete:
        _check_known(entries.subscriptions, "customer", entries.customers, "customer", faults)
        _check_known(entries.subscriptions, "server", entries.servers, "server", faults)
        _check_known(entries.servers, "parent", entries.servers, "server", faults)
        _check_ticket_area(contract, entries.servers, faults)
    _check_circles(entries.servers, faults)
    _check_measured(entries, faults)


def _check_known(entries: Iterable[Entry], key: str, known: Iterable[Entry], kind: str, faults: Faults) -> None:
    ids = [entry.given_id for entry in known if isinstance(entry.given_id, str)]
    there = set(ids)
    for entry in entries:
        given = entry.values.get(key)
        if given is not None and given not in there:
            others = (known_id for known_id in ids if known_id != entry.given_id)
            faults.add(entry.place, key, shown(given), nearest(given, others, kind))


def _check_ticket_area(contract: Values, servers: Iterable[Entry], faults: Faults) -> None:
    ids = [entry.given_id for entry in servers if isinstance(entry.given_id, str)]
    given = contract.get("ticket_area")
    if given is not None and given not in ids:
        faults.add(contract.place, "ticket_area", shown(given), nearest(given, ids, "server"))


def _check_circles(servers: Sequence[Entry], faults: Faults) -> None:
    """Note each circle of parents once, at the first of its servers."""
    parents = {entry.values.get("id"): entry.values.get("parent") for entry in servers}
    done: set[str] = set()
    for entry in servers:
        way: list[str] = []
        at = entry.values.get("id")
        while at is not None and at not in done:
            done.add(at)
            way.append(at)
            at = parents.get(at)
        # a way that ends on itself has closed a circle; one that ends on an earlier way has not
        if at in way:
            circle = [*way[way.index(at) :], at]
            first = next(one for one in servers if one.values.get("id") in circle)
            way_round = _turned(circle, first.values["id"])
            faults.add(first.place, "parent", shown(first.values["parent"]), _circle_text(way_round))


def _turned(circle: Sequence[str], first: str) -> list[str]:
    """Return the closed circle (its first again at its end) beginning with another of its members."""
    ring = list(circle[:-1])
    start = ring.index(first)
    return [*ring[start:], *ring[:start], first]


def _circle_text(circle: Sequence[str]) -> str:
    if len(circle) == 2:  # noqa: PLR2004 - itself, twice
        return "another server: none hangs on itself"
    return f"a server that does not hang on this one in turn: {' -> '.join(circle)}"


def _check_measured(entries: Entries, faults: Faults) -> None:
    """Note subscriptions whose availability could never be read: web hosting without a web check (5.1)."""
    servers: Mapping[str | None, Entry] = {entry.values.get("id"): entry for entry in entries.servers}
    for entry in entries.subscriptions:
        product, server = entry.values.get("product"), servers.get(entry.values.get("server"))
        if product is None or server is None or PRODUCTS[product].measured != "web" or not server.services_whole:
            continue
        if not any(service["type"] in WEB_TYPES for service in server.services):
            name = shown(entry.values["server"])
            faults.add(
                entry.place,
                "product",
                shown(product),
                f"it is measured by http and https checks ({PRODUCTS[product].clause}) and server {name} has none: "
                "give the server a [[server.service]] of type http or https (level 4), or sell another product on it",
            )
