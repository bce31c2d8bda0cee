"""The keys of the check type ``icmp``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.probes.icmp.packets import DEFAULT_PAYLOAD_SIZE, MAX_PAYLOAD_SIZE
from monitor.probes.settings import CheckSettings, family_key, host_key, key


def _is_payload_size(size: int) -> bool:
    return 0 <= size <= MAX_PAYLOAD_SIZE


@dataclass(frozen=True, slots=True)
class IcmpSettings(CheckSettings):
    """The keys of type ``icmp``."""

    host: str | None = host_key()
    family: Literal["any", "4", "6"] = family_key()
    size: int = key(
        default=DEFAULT_PAYLOAD_SIZE,
        doc="bytes of payload in each echo request",
        allowed=f"a whole number, 0 to {MAX_PAYLOAD_SIZE}",
        check=_is_payload_size,
    )
