"""Python's collector of cyclic garbage, kept away while many objects are made that stay.

Each full collection looks through every object there is, and everything else stands still meanwhile: with the accounts
of ten thousand subscriptions in memory that is a tenth of a second, again and again while they are read.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def undisturbed() -> Iterator[None]:
    """Collect nothing for a while; what is there afterwards is not looked through again.

    Objects without cycles, which are nearly all, are freed as always when nobody refers to them any more.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # a collection now would look through all that was made meanwhile
        if was_on:
            gc.enable()
