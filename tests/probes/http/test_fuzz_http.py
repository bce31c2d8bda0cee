"""What web servers answer, spoilt or made up: answers, redirects, documents; each is read or judged."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.probes.http.expectations import expectations_of
from monitor.probes.http.request import build_request
from monitor.probes.http.response import MAX_BODY_SIZE, HttpResponse
from monitor.probes.http.settings import HttpSettings
from tests.probes.mutations import FUZZ_FACTOR, MUTATIONS, Mutation, assert_reads_or_fails, mutate
from tests.probes.recordings import PAGES, REDIRECT


def heard(said: bytes, cuts: list[int], given_keys: dict[str, Any], *, keep: bool, bodyless: bool) -> None:
    """Hear it in pieces, to the end, and judge all of it."""
    answer = HttpResponse(keep_body=keep, bodyless=bodyless)
    expected = expectations_of(HttpSettings(url="http://a/", **given_keys))
    ends = [*sorted(cut % (len(said) + 1) for cut in cuts), len(said)]
    for begin, end in zip([0, *ends], ends, strict=False):
        answer.feed(said[begin:end])
    if not answer.complete:
        answer.on_connection_closed()
    assert len(answer.body) <= MAX_BODY_SIZE
    assert all(each.isprintable() or each == "\n" for each in answer.displayed_head)
    if answer.location is not None:
        build_request("https://www.example.com/a/b?c").redirect_to(answer.location, answer.status)
    expected.judge_head(answer)
    expected.judge_body(answer)


@settings(max_examples=300 * FUZZ_FACTOR)
@given(
    page=st.sampled_from([*PAGES.values(), (REDIRECT, {})]),
    spoils=MUTATIONS,
    cuts=st.lists(st.integers(0, 2000), max_size=5),
    keep=st.booleans(),
    bodyless=st.booleans(),
)
def test_an_answer_of_a_web_server_is_read_or_judged_however_it_comes(
    page: tuple[bytes, dict[str, Any]], spoils: list[Mutation], cuts: list[int], *, keep: bool, bodyless: bool
) -> None:
    said, keys = page
    assert_reads_or_fails(lambda: heard(mutate(said, spoils), cuts, keys, keep=keep, bodyless=bodyless))


@settings(max_examples=300 * FUZZ_FACTOR)
@given(cuts=st.lists(st.integers(0, 2000), max_size=8), page=st.sampled_from(list(PAGES.values())))
def test_a_good_answer_is_read_however_it_is_cut(cuts: list[int], page: tuple[bytes, dict[str, Any]]) -> None:
    heard(page[0], cuts, page[1], keep=True, bodyless=False)


_PLACES = st.one_of(
    st.sampled_from(
        [
            *("http://example.com/", "https://ğ.example:8443/x?y#z", "//[2001:db8::1%25eth0]:80/", "http://[fe80::1]/"),
            *(
                "http://user:pw@127.0.0.1/",
                "../x",
                "?a=b",
                "#c",
                "http://1.2.3/",
                "http://0x7f.1/",
                "HTTP://EXAMPLE.COM",
            ),
        ]
    ).map(str.encode),
    st.binary(max_size=80),
    st.text(max_size=60).map(lambda host: f"http://{host}/".encode("utf-8", "replace")),
    st.from_regex(rb"https?://[\[\]0-9a-fA-F:.%]{1,30}(:[0-9]{1,6})?/").map(bytes),
)


@settings(max_examples=500 * FUZZ_FACTOR)
@given(place=_PLACES, spoils=st.one_of(st.just([]), MUTATIONS), status=st.sampled_from([301, 302, 303, 307, 308]))
def test_a_redirect_leads_to_a_request_that_can_be_made_or_is_judged(
    place: bytes, spoils: list[Mutation], status: int
) -> None:
    location = mutate(place, spoils)

    def follow() -> None:
        further = (
            build_request("http://a.example/x", "POST")
            .with_login("Authorization: Basic x\r\n")
            .redirect_to(location, status)
        )
        head, _, rest = further.encoded.partition(b"\r\n\r\n")
        assert rest == b""
        assert head.isascii()
        assert all(line.isascii() and b"\0" not in line and b"\n" not in line for line in head.split(b"\r\n"))
        assert len(head.split(b"\r\n")[0].split(b" ")) == 3
        assert 1 <= further.port <= 65535
        assert (b"Authorization" in head) is (further.host == "a.example" and further.port == 80 and not further.tls)

    assert_reads_or_fails(follow)


_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "items", "x", ""]), inner),
    max_leaves=8,
)
_PATHS = st.sampled_from(["data", "data.items[0].x", "[0]", "items[999999]", "data.data", "$.x", "x[0][0]"])


@settings(max_examples=300 * FUZZ_FACTOR)
@given(document=_DOCUMENTS, path=_PATHS, value=_DOCUMENTS, spoils=st.one_of(st.just([]), MUTATIONS))
def test_a_document_of_json_has_what_is_expected_or_is_judged(
    document: object, path: str, value: object, spoils: list[Mutation]
) -> None:
    body = mutate(json.dumps(document).encode(), spoils)
    said = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body
    assert_reads_or_fails(
        lambda: heard(said, [], {"expect_json": (f"{path} = {json.dumps(value)}",)}, keep=True, bodyless=False)
    )
