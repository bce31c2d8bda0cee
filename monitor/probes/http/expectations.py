"""What a web server's answer must be: status, headers, text that is there or not, JSON, a regular expression."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.http.json_expectation import parse_document, parse_json_expectation
from monitor.probes.http.settings import parse_header, parse_status_ranges
from monitor.probes.regex_search import Pattern

if TYPE_CHECKING:
    from monitor.probes.http.response import HttpResponse
    from monitor.probes.http.settings import HttpSettings

TURKISH_CODEC = "cp1254"
"""Pages that name their encoding only inside themselves are read in UTF-8 and in this one too."""


def expectations_of(settings: HttpSettings) -> Expectations:
    """Return those of a check; checks that expect the same share them."""
    return _shared_expectations(
        settings.status,
        settings.expect_headers,
        settings.expect_json,
        expect=settings.expect,
        forbid=settings.forbid,
        pattern=settings.expect_pattern,
    )


class Expectations:
    """Those of one check."""

    __slots__ = ("_expect", "_forbid", "_headers", "_json_values", "_ranges", "pattern")

    def __init__(  # one text for each key
        self,
        status: tuple[str, ...],
        headers: tuple[str, ...],
        json_values: tuple[str, ...],
        *,
        expect: str | None,
        forbid: str | None,
        pattern: str | None,
    ) -> None:
        self._ranges = parse_status_ranges(status)
        self._headers = tuple(parse_header(text) for text in headers)
        self._json_values = tuple(parse_json_expectation(text) for text in json_values)
        self._expect = expect
        self._forbid = forbid
        self.pattern = None if pattern is None else Pattern(pattern)
        """What takes its time to be searched for: the caller does it, elsewhere."""

    @property
    def need_body(self) -> bool:
        """Whether the body is looked at."""
        return bool(self._expect is not None or self._forbid is not None or self._json_values or self.pattern)

    def judge_head(self, answer: HttpResponse) -> None:
        """Judge status and headers; raises ``ProbeError``."""
        if not any(answer.status in codes for codes in self._ranges):
            raise server_failure(Reason.STATUS, str(answer.status))
        for name, text in self._headers:
            if not any(text in value for value in answer.headers(name)):
                raise server_failure(Reason.CONTENT, "header not found")

    def judge_body(self, answer: HttpResponse) -> None:
        """Judge the body, but for the pattern; raises ``ProbeError``. It is decoded only if something is expected."""
        if not self.need_body:
            return
        body = answer.body
        if self._expect is not None and not _contains(body, self._expect, answer.charset):
            raise server_failure(Reason.CONTENT, "text not found")
        if self._forbid is not None and _contains(body, self._forbid, answer.charset):
            raise server_failure(Reason.CONTENT, "forbidden text")
        if self._json_values:
            document = parse_document(body)
            if not all(each.is_met(document) for each in self._json_values):
                raise server_failure(Reason.CONTENT, "JSON differs")


_shared_expectations = lru_cache(maxsize=1024)(Expectations)


def _contains(body: bytes, text: str, charset: str | None) -> bool:
    # where a mark at the beginning tells the order of bytes, text in the middle has none, and is in either
    named = (f"{charset}_le", f"{charset}_be") if charset in ("utf_16", "utf_32") else (charset or "utf-8",)
    for encoding in dict.fromkeys((*named, "utf-8", TURKISH_CODEC)):
        try:
            if text.encode(encoding) in body:
                return True
        except (LookupError, UnicodeError):  # the answer names an encoding of something else, or without such a letter
            continue
    return False
