"""HTTP and HTTPS: does a page come, whole and as expected."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from monitor.model import Outcome, Reason
from monitor.probes.answer import MOST_BODY
from monitor.probes.failures import NotOkError
from monitor.probes.http.expectations import expectations
from monitor.probes.http.messages import ask
from monitor.probes.http.settings import HttpsSettings
from monitor.probes.probe import Attempt

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from monitor.probes.answer import Answer
    from monitor.probes.http.settings import HttpSettings
    from monitor.probes.probe import Target
    from monitor.probes.resources import Instruments

__all__ = ["MOST_BODY", "HttpProbe"]


class HttpProbe:
    """Asks for a page on a connection of its own; keeps no cookie, uses no proxy."""

    secrets: tuple[str, ...] = ()
    __slots__ = ("_expected", "_instruments", "_settings", "family", "follow", "keep", "request")

    def __init__(self, settings: HttpSettings, instruments: Instruments) -> None:
        self.request = ask(settings.url, settings.method, connect_to=settings.address)
        self.follow = settings.follow_redirects
        self.family: str = settings.family
        self._settings = settings
        self._expected = expectations(settings)
        self.keep = self._expected.of_the_body
        self._instruments = instruments

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109 - the URL says where
        """Try once: connection, certificate, status, headers, the whole body, what is expected in it, in this order."""
        try:
            errand = _Errand(self, self._login())
        except NotOkError as error:
            return Attempt(error.outcome, self._instruments.clock.monotonic(), None, error.reason)
        began = self._instruments.clock.monotonic()
        attempt = await self._instruments.http.visit(errand, timeout)
        pattern = self._expected.pattern
        if pattern is None or attempt.outcome is not Outcome.OK or errand.answer is None:
            return attempt
        try:
            found = pattern.glance(errand.answer.body)
            if found is None:
                left = timeout - (self._instruments.clock.monotonic() - began)
                found = await self._instruments.searches.find(pattern, errand.answer.body, left)
        except NotOkError as error:
            return attempt._replace(outcome=error.outcome, latency_us=None, reason=error.reason)
        if found:
            return attempt
        return attempt._replace(
            outcome=Outcome.FAIL, latency_us=None, reason=Reason.CONTENT.with_detail("pattern not found")
        )

    def begin(self, target: Target, timeout: float, done: Callable[[Attempt], None]) -> bool:  # noqa: ARG002 - see Swift
        """Try once, without a task, unless a password is to be read or a pattern to be searched for."""
        if self._settings.user is not None or self._expected.pattern is not None:
            return False
        self._instruments.http.begin(self, timeout, done)
        return True

    def _login(self) -> tuple[str, ...]:
        """Give the password and what logs in by it; nothing where nobody does. Raises ``NotOkError``."""
        settings = self._settings
        if settings.user is None or settings.password_file is None:
            return ()
        password = self._instruments.secrets.read(settings.password_file)
        return password, base64.b64encode(f"{settings.user}:{password}".encode()).decode()

    def context(self) -> ssl.SSLContext:
        """Give the TLS settings of this check; see ``Errand``."""
        settings = self._settings
        if isinstance(settings, HttpsSettings):
            return self._instruments.tls.get(verify=settings.verify_certificate, ca_file=settings.ca_file)
        return self._instruments.tls.get(verify=True, ca_file=None)  # a page in clear can lead to one over TLS

    def accept(self, answer: Answer) -> None:
        """Judge status and headers; see ``Errand``."""
        self._expected.accept(answer)

    def judge(self, answer: Answer) -> None:
        """Judge the body; see ``Errand``."""
        self._expected.judge(answer)


class _Errand:
    """One attempt that is more than its probe says: it has a login, or its answer is looked at afterwards."""

    __slots__ = ("_probe", "accept", "answer", "context", "family", "follow", "keep", "request", "secrets")

    def __init__(self, probe: HttpProbe, login: tuple[str, ...]) -> None:
        self.request = probe.request.with_login(f"Authorization: Basic {login[-1]}\r\n" if login else "")
        self.secrets = login
        self.keep = probe.keep
        self.follow = probe.follow
        self.family = probe.family
        self.context = probe.context
        self.accept = probe.accept
        self.answer: Answer | None = None
        self._probe = probe

    def judge(self, answer: Answer) -> None:
        """Judge the body, and keep it; see ``Errand``."""
        self.answer = answer
        self._probe.judge(answer)
