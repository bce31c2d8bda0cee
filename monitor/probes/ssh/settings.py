"""The keys of the check type ``ssh``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from monitor.probes.settings import HostSettings, any_value, key, port_key

DEFAULT_PORT = 22
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


@dataclass(frozen=True, slots=True)
class SshSettings(HostSettings):
    """The keys of type ``ssh``."""

    port: int = port_key(DEFAULT_PORT)
    fingerprints: tuple[str, ...] = key(
        default=(),
        doc="the fingerprints of which the server's host key must have one; none: any key",
        allowed='a list of fingerprints as ssh-keygen -l prints them: ["SHA256:..."]',
        check=lambda texts: all(_FINGERPRINT.fullmatch(text) for text in texts),
    )
    key_type: Literal["any", "ed25519", "ecdsa", "rsa"] = key(
        default="any",
        doc="which of the server's host keys is asked for; any: the first that it has in this order",
        allowed='"any", "ed25519", "ecdsa" or "rsa"',
        check=any_value,
    )
