"""Long work by slices, so that the event loop can turn in between: probes leave on time whatever else goes on."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

FREED_PER_STEP = 500
"""Objects that are let go of at once: a millisecond."""


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut what there is now into lists of ``size``, the last one shorter; what changes meanwhile changes none."""
    rest = iter([*items])
    while some := [*islice(rest, size)]:
        yield some


async def run_in_steps(steps: Iterable[None]) -> None:
    """Go through the steps of something, and let the loop turn after each."""
    for _ in steps:
        await asyncio.sleep(0)


def free_in_steps(*collections: Iterable[object]) -> Iterator[None]:
    """Let go of many objects by slices.

    Where nobody else refers to them they are freed: all of ten thousand servers at once would hold the loop up. To be
    of use, the caller refers to them no more when the first step is taken.
    """
    held = [[*what] for what in collections]
    del collections
    return _free_steps(held)


def _free_steps(groups: list[list[object]]) -> Iterator[None]:
    for objects in groups:
        while objects:
            del objects[-FREED_PER_STEP:]
            yield
