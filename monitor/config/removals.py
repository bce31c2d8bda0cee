"""Servers and subscriptions that a changed configuration takes away: many at once are probably a mistake.

An included file that is empty, or cut off, is valid TOML. So a reload that removes more than a tenth of the servers or
of the subscriptions, and more than two, waits until somebody accepts it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.formatting import pluralize
from monitor.store import journal

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlite_utils import Database

    from monitor.config.settings import Config

MAX_UNCONFIRMED: Final = 2
"""So many may always go."""
MAX_UNCONFIRMED_SHARE: Final = 10
"""At most one in so many may go."""
CONFIRMATION_SECONDS: Final = 600.0
"""Seconds within which a second reload, or an acceptance, counts."""
ACCEPTED_NOTE: Final = "accepted-removals"
"""The key of the daemon's note with the accepted removals: their digest, and when they were accepted."""
_MAX_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Removals:
    """What a configuration no longer has."""

    servers: tuple[str, ...]
    subscriptions: tuple[str, ...]
    servers_before: int
    subscriptions_before: int

    @property
    def need_confirmation(self) -> bool:
        """Whether so many go that somebody has to say that it is meant."""
        return _are_many(len(self.servers), self.servers_before) or _are_many(
            len(self.subscriptions), self.subscriptions_before
        )

    @property
    def digest(self) -> str:
        """The same for the same removals."""
        return hashlib.sha256("\n".join([*self.servers, "", *self.subscriptions]).encode()).hexdigest()

    def describe(self) -> str:
        """Return what goes: ``7 of 40 servers (web-01, ... and 2 more) and 1 of 9 subscriptions (acme-01)``."""
        parts = []
        for noun, gone, before in (
            ("server", self.servers, self.servers_before),
            ("subscription", self.subscriptions, self.subscriptions_before),
        ):
            if gone:
                more = f" and {len(gone) - _MAX_NAMED} more" if len(gone) > _MAX_NAMED else ""
                parts.append(f"{len(gone)} of {pluralize(before, noun)} ({', '.join(gone[:_MAX_NAMED])}{more})")
        return " and ".join(parts)


def _are_many(gone: int, before: int) -> bool:
    return gone > MAX_UNCONFIRMED and gone * MAX_UNCONFIRMED_SHARE > before


def find_removals(servers: Collection[str], subscriptions: Collection[str], config: Config) -> Removals:
    """Return what a configuration no longer has of servers and subscriptions, given by id."""
    return Removals(
        tuple(sorted(set(servers) - config.servers_by_id.keys())),
        tuple(sorted(set(subscriptions) - config.subscriptions_by_id.keys())),
        len(servers),
        len(subscriptions),
    )


def removals_since_recorded(db: Database, config: Config) -> Removals:
    """Return what a configuration no longer has of the terms that were recorded last."""
    servers, subscriptions = (journal.newest_keys(db, "terms", name) for name in ("servers", "subscriptions"))
    return find_removals(servers, subscriptions, config)


class RemovalHold:
    """Remembers the removals of a reload that waits for confirmation."""

    def __init__(self) -> None:
        self._held: tuple[str, float] | None = None

    @property
    def is_holding(self) -> bool:
        """Whether a reload waits."""
        return self._held is not None

    def may_apply(self, removals: Removals, accepted: str | None, monotonic: float) -> bool:
        """Return whether removals may be applied now; else hold them. ``accepted`` is the digest of accepted ones."""
        held, self._held = self._held, None
        if not removals.need_confirmation or accepted == removals.digest:
            return True
        if held is not None and held[0] == removals.digest and monotonic - held[1] <= CONFIRMATION_SECONDS:
            return True
        self._held = removals.digest, monotonic
        return False

    def is_accepted(self, accepted: str | None) -> bool:
        """Return whether what waits has been accepted."""
        return self._held is not None and accepted == self._held[0]
