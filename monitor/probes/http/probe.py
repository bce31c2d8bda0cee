"""HTTP and HTTPS: does a page come, whole and as expected."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from monitor.model import Outcome, Reason
from monitor.probes.failures import ProbeError
from monitor.probes.http.expectations import expectations_of
from monitor.probes.http.request import build_request, headers_of
from monitor.probes.http.response import MAX_BODY_SIZE
from monitor.probes.http.settings import HttpsSettings, parse_request_header
from monitor.probes.net.tcp_connect import usable_family
from monitor.probes.probe import Attempt

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from monitor.probes.http.response import HttpResponse
    from monitor.probes.http.settings import HttpSettings
    from monitor.probes.probe import Target
    from monitor.probes.resources import ProbeResources

__all__ = ["MAX_BODY_SIZE", "HttpProbe"]


class HttpProbe:
    """Asks for a page on a connection of its own; keeps cookies for one attempt, uses no proxy."""

    __slots__ = (
        *("_expectations", "_resources", "_settings", "family", "follow_redirects", "keep_body", "request"),
        *("secrets", "source"),
    )

    def __init__(self, settings: HttpSettings, resources: ProbeResources) -> None:
        headers = headers_of(tuple(map(parse_request_header, settings.headers)))
        self.request = build_request(
            settings.url, settings.method, connect_to=settings.address, headers=headers, body=settings.body
        )
        self.secrets: tuple[str, ...] = headers.secrets
        self.follow_redirects = settings.follow_redirects
        self.family = usable_family(settings.family, settings.source)
        self.source = settings.source
        self._settings = settings
        self._expectations = expectations_of(settings)
        self.keep_body = self._expectations.need_body
        self._resources = resources

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109 - the URL says where
        """Try once: connection, certificate, status, headers, the whole body, what is expected in it, in this order."""
        try:
            errand = _HttpAttempt(self, self._credentials())
        except ProbeError as error:
            return Attempt(error.outcome, self._resources.clock.monotonic(), None, error.reason)
        began = self._resources.clock.monotonic()
        attempt = await self._resources.http.fetch(errand, timeout)
        pattern = self._expectations.pattern
        if pattern is None or attempt.outcome is not Outcome.OK or errand.response is None:
            return attempt
        try:
            found = pattern.search_now(errand.response.body)
            if found is None:
                left = timeout - (self._resources.clock.monotonic() - began)
                found = await self._resources.regex_workers.search(pattern, errand.response.body, left)
        except ProbeError as error:
            return attempt._replace(outcome=error.outcome, latency_us=None, reason=error.reason)
        if found:
            return attempt
        return attempt._replace(
            outcome=Outcome.FAIL, latency_us=None, reason=Reason.CONTENT.with_detail("pattern not found")
        )

    def start(self, target: Target, timeout: float, on_done: Callable[[Attempt], None]) -> bool:  # noqa: ARG002 - see Swift
        """Try once, without a task, unless a password is to be read or a pattern to be searched for."""
        if self._settings.user is not None or self._expectations.pattern is not None:
            return False
        self._resources.http.start(self, timeout, on_done)
        return True

    def _credentials(self) -> tuple[str, ...]:
        """Return the password and what logs in by it; nothing where nobody does. Raises ``ProbeError``."""
        settings = self._settings
        if settings.user is None or settings.password_file is None:
            return ()
        password = self._resources.credentials.read(settings.password_file)
        return password, base64.b64encode(f"{settings.user}:{password}".encode()).decode()

    def tls_context(self) -> ssl.SSLContext:
        """Return the TLS settings of this check; see ``HttpCheck``."""
        settings = self._settings
        if isinstance(settings, HttpsSettings):
            return self._resources.tls.get(
                verify=settings.verify_certificate,
                ca_file=settings.ca_file,
                lowest_version=settings.lowest_version,
                certificate_file=settings.certificate_file,
                key_file=settings.key_file,
            )
        return self._resources.tls.get(verify=True, ca_file=None)  # a page in clear can lead to one over TLS

    def judge_head(self, answer: HttpResponse) -> None:
        """Judge status and headers; see ``HttpCheck``."""
        self._expectations.judge_head(answer)

    def judge_body(self, answer: HttpResponse) -> None:
        """Judge the body; see ``HttpCheck``."""
        self._expectations.judge_body(answer)


class _HttpAttempt:
    """One attempt that is more than its probe says: it has a login, or its answer is looked at afterwards."""

    __slots__ = (
        "_probe",
        "family",
        "follow_redirects",
        "judge_head",
        "keep_body",
        "request",
        "response",
        "secrets",
        "source",
        "tls_context",
    )

    def __init__(self, probe: HttpProbe, credentials: tuple[str, ...]) -> None:
        self.request = probe.request.with_login(f"Authorization: Basic {credentials[-1]}\r\n" if credentials else "")
        self.secrets = (*probe.secrets, *credentials)
        self.keep_body = probe.keep_body
        self.follow_redirects = probe.follow_redirects
        self.family = probe.family
        self.source = probe.source
        self.tls_context = probe.tls_context
        self.judge_head = probe.judge_head
        self.response: HttpResponse | None = None
        self._probe = probe

    def judge_body(self, answer: HttpResponse) -> None:
        """Judge the body, and keep it; see ``HttpCheck``."""
        self.response = answer
        self._probe.judge_body(answer)
