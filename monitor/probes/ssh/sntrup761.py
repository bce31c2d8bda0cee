"""Streamlined NTRU Prime 761, the client's side, with a trivial private key: see ``kex_methods`` why that will do.

With the small polynomials f = g = 1 the public key is the constant 1/3, and a ciphertext is r/3 for the server's secret
polynomial r, so that decrypting is a multiplication by 3. The encodings are those of the specification (round 3).
"""

from __future__ import annotations

import hashlib

_P, _Q = 761, 4591
_HALF_Q = (_Q - 1) // 2
_ROUNDED_VALUES = (_Q + 2) // 3
_LIMIT = 16384
_ROUNDED_SIZE = 1007
CIPHERTEXT_SIZE = _ROUNDED_SIZE + 32
"""Bytes of a ciphertext: the rounded polynomial and the confirmation."""


def _encode(values: list[int], ranges: list[int]) -> bytes:
    """Write numbers, each below its range, in mixed radix (the specification's ``Encode``)."""
    said = bytearray()
    while len(values) > 1:
        halves: list[int] = []
        half_ranges: list[int] = []
        for place in range(0, len(values) - 1, 2):
            value = values[place] + values[place + 1] * ranges[place]
            limit = ranges[place] * ranges[place + 1]
            while limit >= _LIMIT:
                said.append(value & 255)
                value, limit = value >> 8, limit + 255 >> 8
            halves.append(value)
            half_ranges.append(limit)
        if len(values) % 2:
            halves.append(values[-1])
            half_ranges.append(ranges[-1])
        values, ranges = halves, half_ranges
    value, limit = values[0], ranges[0]
    while limit > 1:
        said.append(value & 255)
        value, limit = value >> 8, limit + 255 >> 8
    return bytes(said)


def _decode(data: bytes, ranges: list[int]) -> list[int]:
    """Read what ``_encode`` wrote."""
    if len(ranges) == 1:
        return [int.from_bytes(data[:2], "little") % ranges[0]]
    bottoms: list[tuple[int, int]] = []
    half_ranges: list[int] = []
    used = 0
    for place in range(0, len(ranges) - 1, 2):
        limit, bottom, unit = ranges[place] * ranges[place + 1], 0, 1
        while limit >= _LIMIT:
            bottom += unit * data[used]
            used, unit, limit = used + 1, unit * 256, limit + 255 >> 8
        bottoms.append((bottom, unit))
        half_ranges.append(limit)
    if len(ranges) % 2:
        half_ranges.append(ranges[-1])
    halves = _decode(data[used:], half_ranges)
    values: list[int] = []
    for place, (bottom, unit) in enumerate(bottoms):
        value = bottom + unit * halves[place]
        low = ranges[2 * place]
        values += [value % low, value // low % ranges[2 * place + 1]]
    return values + halves[len(bottoms) :]


_ONE_THIRD = pow(3, -1, _Q)
PUBLIC_KEY = _encode([(_ONE_THIRD + _HALF_Q) % _Q] + [_HALF_Q] * (_P - 1), [_Q] * _P)


def decapsulate(ciphertext: bytes) -> bytes:
    """Return the session key of a ciphertext of ``CIPHERTEXT_SIZE`` bytes."""
    rounded = _decode(ciphertext[:_ROUNDED_SIZE], [_ROUNDED_VALUES] * _P)
    # a coefficient is 3 * value - _HALF_Q; three times it, centered, is that of r: -1, 0 or 1
    small = [((3 * (3 * value - _HALF_Q) + _HALF_Q) % _Q - _HALF_Q) % 3 for value in rounded]
    small = [(value + 1) % 3 for value in small]
    small += [0] * (-_P % 4)
    packed = bytes(sum(small[place + step] << 2 * step for step in range(4)) for place in range(0, len(small), 4))
    return _hash(1, _hash(3, packed) + ciphertext)


def _hash(prefix: int, data: bytes) -> bytes:
    return hashlib.sha512(bytes([prefix]) + data).digest()[:32]
