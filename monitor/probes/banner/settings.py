"""The keys of the check types that ``dialogues`` tells of."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import TYPE_CHECKING

from monitor.probes.banner.protocols import DIALOGUES
from monitor.probes.settings import flag_key, port_key
from monitor.probes.wire_settings import ClearOrTlsSettings, LoginSettings, StarttlsSettings

if TYPE_CHECKING:
    from monitor.probes.banner.protocols import Dialogue


@dataclass(frozen=True, slots=True)
class TalkSettings(StarttlsSettings):
    """All that a conversation may be told; a type has those of the keys that its protocol knows."""

    port: int = 0
    tls: bool = False


def settings_of(dialogue: Dialogue) -> type:
    """Give the dataclass of keys of a dialogue of the table."""
    return _MADE[dialogue.name]


def _made(dialogue: Dialogue) -> type:
    keys: list[tuple[str, type, object]] = [("port", int, port_key(dialogue.port))]
    if dialogue.starttls is not None:
        doc = "whether the connection must be upgraded to TLS"
        keys.append(("starttls", bool, flag_key(default=dialogue.starttls, doc=doc)))
    base = ClearOrTlsSettings if dialogue.tls_key else LoginSettings if dialogue.starttls is None else StarttlsSettings
    name = f"{dialogue.name.title()}Settings"
    return make_dataclass(name, keys, bases=(base,), frozen=True, slots=True, namespace={"__module__": __name__})


_MADE = {dialogue.name: _made(dialogue) for dialogue in DIALOGUES}
# a configuration that another process has read comes back by the names of its classes
globals().update({made.__name__: made for made in _MADE.values()})
