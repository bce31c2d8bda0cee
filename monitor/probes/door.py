"""Where a check knocks: checks of one door wait for each other, so that none is knocked at by hundreds at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.probes.http.messages import ask

if TYPE_CHECKING:
    from monitor.probes.check_types import CheckType


def door(check_type: CheckType, settings: Any, address: str) -> str | None:
    """Give the host and port at which a check knocks; None for pings, which hold no connection."""
    if check_type.name == "icmp":
        return None
    if not check_type.needs_url:
        return check_type.where(settings, address)
    request = ask(settings.url, connect_to=settings.address)
    return f"{request.connect_to or request.host}:{request.port}"
