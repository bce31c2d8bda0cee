"""Lines of ``/metrics`` that are kept from one scrape to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


class Shelf(Generic[T]):
    """A few hundred lines of one metric, kept as text, and written again only where what they are made of changed."""

    __slots__ = ("_labelled", "_name", "_read", "_seen", "_text", "_value")

    def __init__(
        self, name: str, labelled: Sequence[str], read: Callable[[], list[T]], value: Callable[[T], float | None]
    ) -> None:
        """``read`` gives what there is now, one for each of ``labelled``; ``value`` makes a number of it, or none."""
        self._name = name
        self._labelled = labelled
        self._read = read
        self._value = value
        self._seen: list[T] | None = None
        self._text = ""

    def text(self) -> str:
        """Give the lines as of now."""
        seen = self._read()
        if seen != self._seen:
            self._seen = seen
            name, value = self._name, self._value
            self._text = "".join(
                [
                    f"{name}{labelled} {number!r}\n"
                    for labelled, each in zip(self._labelled, seen, strict=True)
                    if (number := value(each)) is not None
                ]
            )
        return self._text
