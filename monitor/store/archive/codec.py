"""Packs one check's results of one hour into a few columns of bytes, and unpacks them without loss.

Each column has its own width: as many hexadecimal digits for each value as its largest value needs, none if all values
are equal. So ``hex(column)`` shows the values at fixed positions, to people and to SQL (see
``store/archive/sql_views.py``), and Python decodes them without a loop over results. Equal results have equal bytes.
"""

from __future__ import annotations

import sys
from array import array
from itertools import repeat
from operator import add, itemgetter, sub
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from monitor.model import Millis

HOUR_MS = 3_600_000
"""Milliseconds."""

ResultRow: TypeAlias = tuple[int, int, int, int | None, str, int]
"""One result of a check: time, outcome, attempts, latency, reason, batch."""


class ResultKind(NamedTuple):
    """The values that many results have in common."""

    outcome: int
    attempts: int
    reason: str
    measured: int
    """1 if there is a latency, else 0."""


class PackedColumns(NamedTuple):
    """The results of a check in one hour.

    The ``i``-th was measured at ``start + i * step + late[i]`` milliseconds of the hour, has a latency of ``floor +
    latency[i]`` microseconds if its kind has one, is of kind ``kinds[codes[i]]``, and is in batch ``batch + i * stride
    + batches[i]``. A column without bytes is all zeros.
    """

    size: int
    start: int
    step: int
    late: bytes
    floor: int
    latency: bytes
    kinds: tuple[ResultKind, ...]
    codes: bytes
    batch: int
    stride: int
    batches: bytes


def pack(hour_start: Millis, rows: Sequence[ResultRow]) -> PackedColumns:
    """Pack the results of the hour from ``hour_start``, in time order; at least one."""
    times, outcomes, attempts, latencies, reasons, batches = zip(*rows, strict=True)
    kinds, codes = _encode_kinds(
        list(map(ResultKind, outcomes, attempts, reasons, (each is not None for each in latencies)))
    )
    floor = min((each for each in latencies if each is not None), default=0)
    return PackedColumns(
        len(times),
        *_fit_line([at - hour_start for at in times]),
        floor,
        encode_column([0 if each is None else each - floor for each in latencies]),
        kinds,
        codes,
        *_fit_line(batches),
    )


def _fit_line(values: Sequence[int]) -> tuple[int, int, bytes]:
    """Return start and step of the closest line below the values, and the packed distances from it."""
    if len(values) == 1:
        return values[0], 0, b""
    usual = sorted(map(sub, values[1:], values))[len(values) // 2 - 1]
    mean = _divide_rounded(values[-1] - values[0], len(values) - 1)
    found: list[tuple[int, int, int, Sequence[int]]] = []
    for step in {usual: 0, mean: 0}:  # the median fits around a gap, the mean fits jitter
        rest = list(map(sub, values, range(0, len(values) * step, step))) if step else values
        low, high = min(rest), max(rest)
        found.append((high - low, low, step, rest))
    _, low, step, rest = min(found, key=itemgetter(0))
    return low, step, encode_column([each - low for each in rest])


def _divide_rounded(amount: int, parts: int) -> int:
    """Return the quotient, rounded to the nearest whole number."""
    return (2 * amount + parts) // (2 * parts)


def _encode_kinds(each: list[ResultKind]) -> tuple[tuple[ResultKind, ...], bytes]:
    kinds = tuple(ResultKind(k.outcome, k.attempts, k.reason, int(k.measured)) for k in dict.fromkeys(each))
    if len(kinds) == 1:
        return kinds, b""
    positions = {kind: position for position, kind in enumerate(kinds)}
    bits = bits_per_code(len(kinds))
    text = "".join(f"{positions[kind]:0{bits}b}" for kind in each)
    length = -(-len(text) // 8)
    return kinds, int(text.ljust(8 * length, "0"), 2).to_bytes(length)


def bits_per_code(kinds: int) -> int:
    """Return the number of bits in a code, for this number of kinds."""
    return next(bits for bits in (1, 2, 4, 8, 16, 32) if kinds <= 1 << bits)


def encode_column(values: Sequence[int]) -> bytes:
    """Encode values >= 0 with as many hexadecimal digits as the largest needs; zeros as no bytes."""
    most = max(values)
    width = (most.bit_length() + 3) // 4
    if width == 0:
        return b""
    if width == 2:  # noqa: PLR2004 - a byte
        return bytes(values)
    if width == 4 and len(values) > 1:  # noqa: PLR2004 - two bytes
        found = array("H", values)
        if sys.byteorder == "little":
            found.byteswap()
        return found.tobytes()
    text = "".join(map(f"%0{width}x".__mod__, values))
    if len(values) == 1:
        return bytes.fromhex(text.rjust(width + width % 2, "0"))
    return bytes.fromhex(text.ljust(len(text) + len(text) % 2, "0"))


def decode_column(column: bytes, count: int) -> Iterable[int]:
    """Decode the output of ``encode_column``. Raise ValueError if the length is wrong."""
    if not column:
        return repeat(0, count)
    width = 2 * len(column) // count
    if len(column) != (count * width + 1) // 2:
        raise ValueError("a packed column is too long or too short")
    if width == 1:
        return b"".join(map(_CODES_IN_BYTE[4].__getitem__, column))[:count]
    if width == 2:  # noqa: PLR2004 - a byte
        return column
    if width == 3:  # noqa: PLR2004 - two values in three bytes
        ends = column if len(column) % 3 == 0 else column + b"\0"
        pairs = zip(ends[::3], ends[1::3], ends[2::3], strict=True)
        return [each for a, b, c in pairs for each in (a << 4 | b >> 4, (b & 15) << 8 | c)][:count]
    if width == 4:  # noqa: PLR2004 - two bytes
        found = array("H", column)
        if sys.byteorder == "little":
            found.byteswap()
        return found
    text = column.hex()
    return [int(text[at : at + width], 16) for at in range(0, count * width, width)]


_CODES_IN_BYTE = {
    bits: [bytes((byte >> shift) & ((1 << bits) - 1) for shift in range(8 - bits, -1, -bits)) for byte in range(256)]
    for bits in (1, 2, 4)
}
"""The codes in each byte, for codes of less than a byte."""


def _decode_codes(packed: PackedColumns) -> Iterable[int]:
    bits, count = bits_per_code(len(packed.kinds)), packed.size
    if len(packed.codes) != -(-count * bits // 8):
        raise ValueError("a packed column is too long or too short")
    if bits < 8:  # noqa: PLR2004 - a byte
        return b"".join(map(_CODES_IN_BYTE[bits].__getitem__, packed.codes))[:count]
    size = bits // 8
    return [int.from_bytes(packed.codes[at : at + size]) for at in range(0, size * count, size)]


def times(hour_start: Millis, packed: PackedColumns) -> Iterator[Millis]:
    """Return the time of each result. Raise ValueError if the bytes are not a packed hour."""
    if packed.size < 1 or packed.size > HOUR_MS:
        raise ValueError("a packed hour has no results, or more than fit")
    return _decode_line(hour_start + packed.start, packed.step, packed.late, packed.size)


def batches(packed: PackedColumns) -> Iterator[int]:
    """Return the batch of each result. Raise ValueError if the bytes are not a packed hour."""
    return _decode_line(packed.batch, packed.stride, packed.batches, packed.size)


def _decode_line(start: int, step: int, column: bytes, count: int) -> Iterator[int]:
    line: Iterable[int] = range(start, start + count * step, step) if step else repeat(start, count)
    return map(add, line, decode_column(column, count)) if column else iter(line)


def unpack(hour_start: Millis, packed: PackedColumns) -> Iterator[ResultRow]:
    """Return the results of the hour from ``hour_start``, in time order. Raise ValueError or IndexError for garbage."""
    count, floor, kinds = packed.size, packed.floor, packed.kinds
    measured_at, in_batch = times(hour_start, packed), batches(packed)
    latencies = map(floor.__add__, decode_column(packed.latency, count))
    if len(kinds) == 1:
        kind = kinds[0]
        shown = latencies if kind.measured else repeat(None)
        fixed = repeat(kind.outcome), repeat(kind.attempts)
        return zip(measured_at, *fixed, shown, repeat(kind.reason), in_batch, strict=False)
    each = [kinds[code] for code in _decode_codes(packed)]
    outcomes, attempts, reasons, measured = zip(*each, strict=True)
    some = (latency if known else None for latency, known in zip(latencies, measured, strict=True))
    return zip(measured_at, outcomes, attempts, some, reasons, in_batch, strict=False)
