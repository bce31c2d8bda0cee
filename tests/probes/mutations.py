"""Good answers, spoilt: bits flipped, pieces cut, doubled, inserted, moved, lengths changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from monitor.model import Outcome, Reason
from monitor.probes.failures import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable

FUZZ_FACTOR = int(os.environ.get("FUZZ", "1"))
"""How many times as many examples as usual are tried."""

_BLOBS = (
    *(b"\0", b"\xff", b"\r\n", b"\n", b" ", b"-", b".", b"\r", b"\0" * 300, b"\xff" * 300, b"A" * 9000, b"\r\n" * 300),
    *(b"\x80", b"\xc3\x28", "ı\u202e".encode(), b"0\r\n\r\n", b"HTTP/1.1 100 \r\n\r\n", b"421 no\r\n", b"* BYE\r\n"),
    *(b"-ERR\r\n", b"\x15\x03\x03\0\2\2\x28", b"%s%n", b"\x1f\x8b\x08", b"\xc0\x0c", b"[" * 3000, b"9" * 5000),
)


class Mutation(NamedTuple):
    """One change to what a server says, in numbers, so that it fits whatever is said."""

    piece: int
    """Which of the things that are said; counted around."""
    how: int
    place: int
    """Where in it; counted around."""
    size: int
    blob: bytes


_MUTATION = st.builds(
    Mutation,
    piece=st.integers(0, 7),
    how=st.integers(0, 8),
    place=st.integers(0, 5000),
    size=st.integers(0, 40),
    blob=st.one_of(st.sampled_from(_BLOBS), st.binary(min_size=1, max_size=40)),
)
MUTATIONS = st.lists(_MUTATION, min_size=1, max_size=3)
"""What is done to an answer of several pieces."""


def mutate(data: bytes, mutations: list[Mutation]) -> bytes:
    """Do all of it to one piece, in turn."""
    for each in mutations:
        data = _mutate(data, each)
    return data


def _mutate(data: bytes, mutation: Mutation) -> bytes:
    place = mutation.place % (len(data) + 1)
    head, tail = data[:place], data[place:]
    size = mutation.size % (len(data) + 1)
    changes = (
        lambda: head + bytes([tail[0] ^ 1 << mutation.size % 8]) + tail[1:] if tail else data,
        lambda: head,  # cut off
        lambda: head + tail[size:],  # a hole
        lambda: head + tail[:size] + tail,  # twice
        lambda: head + mutation.blob + tail,
        lambda: head + mutation.blob + tail[len(mutation.blob) :],
        lambda: tail + head,
        lambda: head + mutation.blob[:1] * (1 + mutation.size % 4) + tail[1 + mutation.size % 4 :],  # another length
        lambda: b"" if mutation.size % 2 else mutation.blob,
    )
    return changes[mutation.how]()


def assert_reads_or_fails(read: Callable[[], object]) -> None:
    """Read it, or judge it by a word of the set: nothing else is raised."""
    end: ProbeError | None = None
    try:
        read()
    except ProbeError as error:
        end = error
    assert end is None or (end.outcome is Outcome.FAIL and end.reason.partition(":")[0] in set(Reason))
    assert end is None or end.reason.isascii()
