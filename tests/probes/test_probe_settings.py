from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.http.settings import HttpSettings, HttpsSettings, parse_status_range
from monitor.probes.presets import PRESETS
from monitor.probes.settings import is_host

if TYPE_CHECKING:
    from pathlib import Path


def keys(settings: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(settings)}


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.1",
        "2001:db8::1",
        "fe80::1%eth0",
        "www.acme.example",
        "acme",
        "_x.acme.example",
        "xn--idn.example",
        "a.",
    ],
)
def test_addresses_and_names_are_hosts(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "192.0.2.300",
        "192.0.2",
        "10.1",
        "a..b",
        "-a.example",
        "a-",
        "a b",
        "http://a",
        "a/b",
        "a:80",
        "x" * 254,
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "a" * 64,
    ],
)
def test_what_cannot_be_probed_is_no_host(host: str) -> None:
    assert not is_host(host)


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("http://www.acme.example/", True),
        ("http://www.acme.example:8080/a?b=c", True),
        ("http://192.0.2.1", True),
        ("http://[2001:db8::1]:81/", True),
        ("http://güzel.example/", True),
        ("https://www.acme.example/", False),
        ("http:///path", False),
        ("http://", False),
        ("www.acme.example", False),
        ("http://user:secret@acme.example/", False),
        ("http://acme.example:0/", False),
        ("http://acme.example:99999/", False),
        ("http://acme example/", False),
        ("http://acme.example/a b", False),
        ("http://10.1/", False),
        ("http://[::1/", False),
        ("ftp://acme.example/", False),
    ],
)
def test_a_url_has_the_scheme_of_its_type_and_a_host_and_no_password(url: str, *, right: bool) -> None:
    assert keys(HttpSettings)["url"].metadata["check"](url) is right
    other = url.replace("http://", "https://", 1) if url.startswith("http://") else url.replace("https", "http", 1)
    assert keys(HttpsSettings)["url"].metadata["check"](other) is right


@pytest.mark.parametrize(
    ("text", "codes"), [("200", range(200, 201)), ("200-399", range(200, 400)), ("404-404", range(404, 405))]
)
def test_statuses_are_numbers_or_ranges_with_both_ends(text: str, codes: range) -> None:
    assert parse_status_range(text) == codes


@pytest.mark.parametrize(
    "text", ["", "20", "2000", "99", "600", "399-200", "200-", "-200", "2xx", "200-299-300", " 200"]
)
def test_what_is_no_status_is_refused(text: str) -> None:
    assert not keys(HttpSettings)["status"].metadata["check"]((text,))
    with pytest.raises(ValueError, match=re.escape(text) or None):
        parse_status_range(text)


def test_no_status_at_all_is_refused() -> None:
    assert not keys(HttpSettings)["status"].metadata["check"](())


def test_a_file_of_authorities_must_hold_a_certificate(tmp_path: Path) -> None:
    check = keys(HttpsSettings)["ca_file"].metadata["check"]
    right, wrong = tmp_path / "right.pem", tmp_path / "wrong.pem"
    right.write_text("-----BEGIN CERTIFICATE-----\n")
    wrong.write_text("hello")
    assert check(right)
    assert not any(map(check, (wrong, tmp_path, tmp_path / "missing.pem")))


@pytest.mark.parametrize("check_type", CHECK_TYPES.values(), ids=CHECK_TYPES)
def test_every_key_has_a_meaning_its_allowed_values_and_an_allowed_default(check_type: Any) -> None:
    for field in dataclasses.fields(check_type.settings):
        assert field.metadata["doc"]
        assert field.metadata["allowed"]
        if field.default not in (None, dataclasses.MISSING):
            assert field.metadata["check"](field.default)


def test_the_types_are_called_as_the_product_calls_them() -> None:
    assert {name: check_type.name for name, check_type in CHECK_TYPES.items()} == {
        name: name
        for name in (
            *("icmp", "tcp", "http", "https", "tls", "smtp", "submission", "smtps", "imap", "imaps", "pop3", "pop3s"),
            *("ftp", "ftps", "redis", "ssh", "dns", "ntp", "mysql", "mssql", "postgresql"),
        )
    }


@pytest.mark.parametrize(
    ("kind", "settings", "where"),
    [
        ("icmp", {}, "198.18.0.1"),
        ("icmp", {"host": "198.18.0.2"}, "198.18.0.2"),
        ("tcp", {"port": 22}, "198.18.0.1:22"),
        ("tcp", {"port": 22, "host": "::1"}, "[::1]:22"),
        ("https", {"url": "https://acme.example/"}, "https://acme.example/"),
    ],
)
def test_a_check_says_where_it_looks(kind: str, settings: dict[str, Any], where: str) -> None:
    check_type = CHECK_TYPES[kind]
    assert check_type.target_text(check_type.settings(**settings), "198.18.0.1") == where


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: str(preset.name))
def test_a_preset_is_right_for_its_type(preset: Any) -> None:
    settings = CHECK_TYPES[preset.type].settings
    assert set(dict(preset.keys)) <= set(get_type_hints(settings))
    for key, value in preset.keys:
        given = value.replace("ADDRESS", "192.0.2.1") if isinstance(value, str) else value
        assert keys(settings)[key].metadata["check"](given)


def test_every_kind_of_software_that_support_covers_has_a_preset() -> None:
    assert {preset.kind for preset in PRESETS} == {"web", "mail", "database", "control panel"}
