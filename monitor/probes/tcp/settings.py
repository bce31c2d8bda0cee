"""The keys of the check type ``tcp``, and how its script is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from monitor.probes.settings import TlsSettings, flag_key, is_regex, key, port_key

DEFAULT_PORT = 80
_STEP = re.compile(r"(send|expect) (.+)|(starttls)|(send-hex|expect-hex) ((?: ?[0-9A-Fa-f]{2})+)", re.DOTALL)


class ScriptStep(NamedTuple):
    """One step of a script."""

    verb: Literal["send", "expect", "send-hex", "expect-hex", "starttls"]
    text: str
    """A line, a regular expression, or bytes in hexadecimal."""


def parse_script_step(line: str) -> ScriptStep:
    """Read a step like ``send TEXT``; raises ``ValueError`` for anything else."""
    match = _STEP.fullmatch(line)
    if match is None:
        raise ValueError(line)
    if match[3]:
        return ScriptStep("starttls", "")
    if match[4]:
        return ScriptStep("send-hex" if match[4] == "send-hex" else "expect-hex", bytes.fromhex(match[5]).hex(" "))
    if match[1] == "send":
        return ScriptStep("send", match[2])
    if not is_regex(match[2]):
        raise ValueError(line)
    return ScriptStep("expect", match[2])


def _is_script(lines: tuple[str, ...]) -> bool:
    try:
        verbs = [parse_script_step(line).verb for line in lines]
    except ValueError:
        return False
    return verbs.count("starttls") <= 1


@dataclass(frozen=True, slots=True)
class TcpSettings(TlsSettings):
    """The keys of type ``tcp``."""

    port: int = port_key(DEFAULT_PORT)
    tls: bool = flag_key(default=False, doc="whether TLS is spoken from the first byte")
    script: tuple[str, ...] = key(
        default=(),
        doc="the dialogue on the connection: lines sent, expressions that a line must match, bytes in hex, STARTTLS",
        allowed='a list of "send TEXT", "expect REGULAR EXPRESSION", "send-hex BYTES", "expect-hex BYTES" and '
        '"starttls", the last one once',
        check=_is_script,
    )

    def validate(self, address: str) -> tuple[str, str] | None:
        """Say which key does not fit the others, and what is allowed."""
        if self.tls and "starttls" in self.script:
            return "script", 'no "starttls" where tls = true'
        return TlsSettings.validate(self, address)
