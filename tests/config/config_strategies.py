"""Configurations of every shape, for properties that hold for all of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

from hypothesis import assume
from hypothesis import strategies as st

from monitor.config import Config, ContractSettings, EmailSettings, MonitorSettings, WebSettings
from monitor.config.validators import ListenAddress
from monitor.model import PING, Check, CheckKey, Customer, Server, Subscription
from monitor.probes.check_types import CHECK_TYPES

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
LINES = st.text("aZ9 ığŞ\"'\\#=[]{},.:;€😀", max_size=20).map(lambda text: f"x{text}".strip())
EMAILS = st.builds(
    "{}@{}.example".format,
    st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,8}(\.[a-zA-Zşçğ]{1,3})?", fullmatch=True),
    st.from_regex(r"[a-z0-9ü]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True),
)
ADDRESSES = st.one_of(
    st.ip_addresses(v=4, network="192.0.2.0/24").map(str),
    st.ip_addresses(v=6, network="2001:db8::/32").map(str),
    st.sampled_from(["localhost", "www.acme.example", "fe80::1%eth0", "xn--mller-kva.example"]),
)
PATHS = LINES.map(lambda text: Path("/srv") / text.replace("/", "-").replace("..", "-"))
HOUR = 3_600_000
PORTS = st.integers(1, 65535)
DAYS = st.none() | st.dates(dt.date(1970, 1, 1), dt.date(2999, 12, 31))
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@st.composite
def monitors(draw: st.DrawFn) -> MonitorSettings:
    timeout, retries = draw(st.integers(10, 60_000)), draw(st.integers(0, 10))
    retry_wait = draw(st.integers(0, 300_000))
    longest = (retries + 1) * timeout + retries * retry_wait
    assume(longest <= HOUR)
    return MonitorSettings(draw(st.integers(max(longest, 1_000), HOUR)), timeout, retries, retry_wait)


SENDERS = EMAILS | st.builds(
    "{} <{}>".format, st.sampled_from(["SLA", "Çağrı Merkezi", '"SLA, Ops"', "S.L.A."]), EMAILS
)


@st.composite
def emails(draw: st.DrawFn) -> EmailSettings:
    login = draw(st.none() | st.tuples(LINES, PATHS))
    return EmailSettings(
        transport=draw(st.sampled_from(["file", "smtp"])),
        sender=draw(SENDERS),
        host=draw(ADDRESSES),
        port=draw(PORTS),
        # a login never travels in clear text to another machine
        security=draw(st.sampled_from(["starttls", "tls"] if login else ["starttls", "tls", "none"])),
        username=login and login[0],
        password_file=login and login[1],
    )


def services() -> st.SearchStrategy[tuple[str, object]]:
    """A check type and settings of it. Its attempts take no longer than those of any interval that is drawn."""
    common = {
        "timeout": st.none() | st.just(10),
        "retries": st.none() | st.just(0),
        "retry_wait": st.none() | st.just(0),
    }
    http, tcp = CHECK_TYPES["https"].settings, CHECK_TYPES["tcp"].settings
    urls = st.builds("https://www.acme.example/{}".format, st.from_regex(r"[a-z0-9?=%&/._~-]{0,12}", fullmatch=True))
    return st.one_of(
        st.tuples(st.just("tcp"), st.builds(tcp, host=st.none() | ADDRESSES, port=PORTS, **common)),
        st.tuples(
            st.just("https"),
            st.builds(
                http,
                url=urls,
                status=st.sampled_from([("200",), ("200-299", "404")]),
                expect=st.none() | TEXTS,
                follow_redirects=st.booleans(),
                verify_certificate=st.booleans(),
                **common,
            ),
        ),
    )


@st.composite
def servers(draw: st.DrawFn, name: str, parents: list[str]) -> Server:
    level = draw(st.integers(1, 4))
    checks: list[Check] = []
    if level > 1:
        icmp, tcp = CHECK_TYPES["icmp"], CHECK_TYPES["tcp"]
        port = draw(st.none() | PORTS)
        kind, settings = ("icmp", icmp.settings()) if port is None else ("tcp", tcp.settings(port=port))
        checks.append(Check(CheckKey(name, PING), kind, settings))
    if level == 4:
        names = draw(st.lists(IDS.filter(lambda one: one != PING), max_size=2, unique=True))
        checks += [Check(CheckKey(name, one), *draw(services())) for one in names]
    parent = draw(st.sampled_from([None, *parents]))
    return Server(name, draw(ADDRESSES), level, parent, tuple(checks))


@st.composite
def subscriptions(draw: st.DrawFn, name: str, customers: list[str], machines: list[Server]) -> Subscription:
    server = draw(st.sampled_from(machines))
    web = any(check.type in ("http", "https") for check in server.checks)
    fee = draw(st.none() | st.decimals(Decimal("0.01"), Decimal(999_999_999), places=2))
    start, end = sorted(draw(st.tuples(DAYS, DAYS)), key=lambda day: day or dt.date.min)
    if start is None:
        start, end = draw(st.sampled_from([(end, None), (None, end)]))
    return Subscription(
        id=name,
        customer=draw(st.sampled_from(customers)),
        server=server.id,
        product=draw(st.sampled_from(["server", "colocation", "web-hosting"] if web else ["server", "colocation"])),
        fee=fee,
        currency=None if fee is None else draw(st.from_regex(r"[A-Z]{3}", fullmatch=True)),
        months=draw(st.integers(1, 120)),
        start=start,
        end=end,
    )


def tuples_of(elements: st.SearchStrategy[str], min_size: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(elements, unique=True, min_size=min_size, max_size=3).map(tuple)


@st.composite
def configurations(draw: st.DrawFn) -> Config:
    machines: list[Server] = []
    for name in draw(tuples_of(IDS)):
        machines.append(draw(servers(name, [one.id for one in machines])))
    people = [
        Customer(name, draw(LINES), draw(tuples_of(EMAILS, min_size=1)), draw(st.sampled_from(["tr", "en"])))
        for name in draw(tuples_of(IDS))
    ]
    names = [person.id for person in people]
    sold = draw(tuples_of(IDS)) if names and machines else ()
    return Config(
        path=Path("config.toml"),
        files=(),
        data_dir=draw(PATHS),
        monitor=draw(monitors()),
        canaries=draw(tuples_of(ADDRESSES)),
        contract=ContractSettings(
            timezone=draw(st.sampled_from(["Europe/Istanbul", "UTC", "America/St_Johns"])),
            rounding=draw(st.sampled_from(["down", "half-up"])),
            rolling_days=draw(st.integers(1, 366)),
            operator_emails=draw(tuples_of(EMAILS)),
            credit=draw(st.sampled_from(["on-claim", "automatic"])),
            support_credit=draw(st.none() | st.integers(1, 100)),
            ticket_area=draw(st.sampled_from([None, *(one.id for one in machines)])),
        ),
        web=WebSettings(
            ListenAddress(draw(st.sampled_from(["127.0.0.1", "::", "localhost"])), draw(PORTS)), "https://a.example/"
        ),
        email=draw(emails()),
        customers=tuple(people),
        servers=tuple(machines),
        subscriptions=tuple(draw(subscriptions(name, names, machines)) for name in sold),
    )
