"""TLS settings, made once for all checks that share them: making one costs more than a check."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from monitor.probes.failures import ours

if TYPE_CHECKING:
    from pathlib import Path

FLOORS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
UNREADABLE = "authorities not readable"


def _quick(context: ssl.SSLContext) -> str:
    """Give its ciphers, but for the key exchange in finite fields (DHE).

    The server chooses how large those are, up to a quarter of a second of computing in which nobody else has a turn.
    Browsers have given them up too.
    """
    return ":".join(each["name"] for each in context.get_ciphers() if not each["name"].startswith("DHE-"))


class TlsContexts:
    """Gives contexts by what they verify; a changed file of authorities is read anew."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bool, Path | None, str], tuple[int, ssl.SSLContext]] = {}

    def get(self, *, verify: bool, ca_file: Path | None, floor: str = "TLSv1.2") -> ssl.SSLContext:
        """Give a context for clients. Raises ``NotOkError``, unknown, where the authorities cannot be read."""
        try:
            stamp = ca_file.stat().st_mtime_ns if ca_file else 0
            kept = self._kept.get((verify, ca_file, floor))
            if kept is not None and kept[0] == stamp:
                return kept[1]
            context = ssl.create_default_context(cafile=ca_file)
        except OSError:
            raise ours(UNREADABLE) from None
        if FLOORS[floor] < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # what these versions sign by is too weak for more
        context.set_ciphers(_quick(context))
        context.minimum_version = FLOORS[floor]
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._kept[verify, ca_file, floor] = (stamp, context)
        return context
