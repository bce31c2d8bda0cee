"""Strings as SSH writes them: their length, then their bytes (RFC 4251, 5)."""

from __future__ import annotations

from monitor.model import Reason
from monitor.probes.failures import failed


def read_string(data: bytes, place: int) -> tuple[bytes, int]:
    """Read a string with its length before it; give where it ends. Raises ``NotOkError`` where it is cut short."""
    start = place + 4
    if start > len(data):
        raise failed(Reason.PROTOCOL)
    end = start + int.from_bytes(data[place:start])
    if end > len(data):
        raise failed(Reason.PROTOCOL)
    return data[start:end], end


def string(data: bytes) -> bytes:
    """Write one."""
    return len(data).to_bytes(4) + data
