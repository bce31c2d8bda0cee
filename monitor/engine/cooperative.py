"""Splits long work into steps, so that the event loop runs between them and probes start on time."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

FREED_PER_STEP = 500
"""Objects that are freed in one step: a millisecond."""


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split a snapshot of ``items`` into lists of ``size``, the last one shorter."""
    rest = iter([*items])
    while chunk := [*islice(rest, size)]:
        yield chunk


async def run_in_steps(steps: Iterable[None]) -> None:
    """Execute all steps; the event loop runs after each."""
    for _ in steps:
        await asyncio.sleep(0)


def free_in_steps(*collections: Iterable[object]) -> Iterator[None]:
    """Return steps that release many objects.

    Freeing the objects of ten thousand servers at once would block the event loop. The steps free only objects to
    which nothing else refers, so the caller drops its own references before the first step.
    """
    groups = [[*objects] for objects in collections]
    del collections
    return _free_steps(groups)


def _free_steps(groups: list[list[object]]) -> Iterator[None]:
    for objects in groups:
        while objects:
            del objects[-FREED_PER_STEP:]
            yield
