from __future__ import annotations

import pytest

from monitor.domain_names import ascii_domain


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("www.Acme.example", "www.acme.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("STRAẞE.example", "xn--strae-oqa.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("şirket.com.tr", "xn--irket-idb.com.tr"),
        ("İstanbul.example", "xn--istanbul-o0e.example"),
        ("bücher。example", "xn--bcher-kva.example"),
        ("Ｂücher.example.", "xn--bcher-kva.example."),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"),
        ("क्\u200dष.example", "xn--11b2ezcw70k.example"),
    ],
)
def test_a_domain_is_written_in_ascii_as_browsers_do(name: str, domain: str) -> None:
    assert ascii_domain(name) == domain


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "a..b", ".example", "ş.\ud800", "i❤.ws", "a.b" * 100, "ş." * 600),
        *("a" * 64 + ".example", "ş" * 64 + ".example"),
    ],
)
def test_what_is_no_domain_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"\A[\s\S]*\Z"):
        ascii_domain(name)


@pytest.mark.parametrize(
    ("name", "domain"), [("i❤.ws", "xn--i-7iq.ws"), ("☃.example", "xn--n3h.example"), ("I❤.WS", "xn--i-7iq.ws")]
)
def test_symbols_are_allowed_where_browsers_look_them_up(name: str, domain: str) -> None:
    assert ascii_domain(name, allow_symbols=True) == domain
