"""HTTP and HTTPS: does a page come, whole and as expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.probes.answer import MOST_BODY
from monitor.probes.blame import failed
from monitor.probes.http_settings import HttpsSettings, status_ranges
from monitor.probes.request import get

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from monitor.probes.answer import Answer
    from monitor.probes.http_settings import HttpSettings
    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Attempt, Target

__all__ = ["MOST_BODY", "HttpProbe"]

TURKISH = "cp1254"
"""Pages that name their encoding only inside themselves are read in UTF-8 and in this one too."""


class HttpProbe:
    """Gets a page on a connection of its own; keeps no cookie, uses no proxy."""

    __slots__ = ("_ca_file", "_client", "_expect", "_ranges", "_verify", "follow", "keep", "request")

    def __init__(self, settings: HttpSettings, instruments: Instruments) -> None:
        self.request = get(settings.url)
        self.keep = settings.expect is not None
        self.follow = settings.follow_redirects
        self._ranges = status_ranges(settings.status)
        self._expect = settings.expect
        self._verify = settings.verify_certificate if isinstance(settings, HttpsSettings) else True
        self._ca_file = settings.ca_file if isinstance(settings, HttpsSettings) else None
        self._client = instruments.http

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109 - the URL says where
        """Try once: connection, certificate, status, the whole body, the expected text, in this order."""
        return await self._client.visit(self, timeout)

    def begin(self, target: Target, timeout: float, done: Callable[[Attempt], None]) -> bool:  # noqa: ARG002 - see Swift
        """Try once, without a task."""
        self._client.begin(self, timeout, done)
        return True

    def context(self) -> ssl.SSLContext:
        """Give the TLS settings of this check; see ``Errand``."""
        return self._client.context(verify=self._verify, ca_file=self._ca_file)

    def accept(self, answer: Answer) -> None:
        """Judge the status; see ``Errand``."""
        if not any(answer.status in codes for codes in self._ranges):
            raise failed(f"status {answer.status}")

    def judge(self, answer: Answer) -> None:
        """Look for the expected text; see ``Errand``."""
        if self._expect is not None and not _contains(answer.body, self._expect, answer.charset):
            raise failed("text not found")


def _contains(body: bytes, text: str, charset: str | None) -> bool:
    for encoding in dict.fromkeys((charset or "utf-8", "utf-8", TURKISH)):
        try:
            if text.encode(encoding) in body:
                return True
        except (LookupError, UnicodeError):  # the answer names an encoding that is none, or has no such letter
            continue
    return False
