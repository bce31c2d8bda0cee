"""HTTP and HTTPS: does a page come, whole and as expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.probes.blame import failed
from monitor.probes.http_settings import HttpsSettings, status_range
from monitor.probes.trail import BODY, follow

if TYPE_CHECKING:
    import aiohttp

    from monitor.probes.http_settings import HttpSettings
    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.trail import Trail

MOST_BODY = 1024 * 1024
"""Bytes of a body that are read, and searched for the expected text."""
TURKISH = "cp1254"
"""Pages that name their encoding only inside themselves are read in UTF-8 and in this one too."""


class HttpProbe:
    """Gets a page on a connection of its own; keeps no cookie, uses no proxy."""

    def __init__(self, settings: HttpSettings, instruments: Instruments) -> None:
        self._url = settings.url
        self._ranges = tuple(status_range(text) for text in settings.status)
        self._expect = settings.expect
        self._follow = settings.follow_redirects
        self._verify = settings.verify_certificate if isinstance(settings, HttpsSettings) else True
        self._ca_file = settings.ca_file if isinstance(settings, HttpsSettings) else None
        self._clock = instruments.clock
        self._client = instruments.http

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109 - the URL says where
        """Try once: connection, certificate, status, the whole body, the expected text, in this order."""
        return await follow(self._clock, timeout, self._look)

    async def _look(self, trail: Trail) -> None:
        context = self._client.context(verify=self._verify, ca_file=self._ca_file)
        async with self._client.get(trail, self._url, follow_redirects=self._follow, context=context) as response:
            trail.begin(BODY, f"status {response.status}")
            if not any(response.status in codes for codes in self._ranges):
                raise failed(f"status {response.status}")
            body = await _read(response, keep=self._expect is not None)
            trail.arrived()
        if self._expect is not None and not _contains(body, self._expect, response.charset):
            raise failed("text not found")


async def _read(response: aiohttp.ClientResponse, *, keep: bool) -> bytes:
    """Read the body to its end, or to the most that is read; give it where it is to be kept."""
    kept = bytearray()
    read = 0
    async for chunk in response.content.iter_any():
        read += len(chunk)
        if keep:
            kept += chunk
        if read >= MOST_BODY:
            break
    return bytes(kept[:MOST_BODY])


def _contains(body: bytes, text: str, charset: str | None) -> bool:
    for encoding in dict.fromkeys((charset or "utf-8", "utf-8", TURKISH)):
        try:
            if text.encode(encoding) in body:
                return True
        except (LookupError, UnicodeError):  # the answer names an encoding that is none, or has no such letter
            continue
    return False
