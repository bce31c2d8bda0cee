"""Strings as SSH writes them: their length, then their bytes (RFC 4251, 5)."""

from __future__ import annotations

from monitor.model import Reason
from monitor.probes.failures import server_failure


def read_string(data: bytes, offset: int) -> tuple[bytes, int]:
    """Read a string with its length before it; give where it ends. Raises ``ProbeError`` where it is cut short."""
    start = offset + 4
    if start > len(data):
        raise server_failure(Reason.PROTOCOL)
    end = start + int.from_bytes(data[offset:start])
    if end > len(data):
        raise server_failure(Reason.PROTOCOL)
    return data[start:end], end


def encode_string(data: bytes) -> bytes:
    """Write one."""
    return len(data).to_bytes(4) + data


def encode_mpint(number: int) -> bytes:
    """Write a number that is not negative: no zeros before it, but one where it would look negative."""
    return encode_string(number.to_bytes(number.bit_length() // 8 + 1) if number else b"")
