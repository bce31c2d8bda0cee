"""The Config that a valid configuration is loaded to."""

from __future__ import annotations

import datetime as dt
from dataclasses import FrozenInstanceError
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from monitor.config import ContractSettings, EmailSettings, MonitorSettings, dump_toml, load
from monitor.config.ledger_context import ledger_context
from monitor.config.validators import ListenAddress
from monitor.errors import ConfigError, InputError
from monitor.mail.compose import compose
from monitor.mail.content import OutageMail, OutageStarted, ServerEvents
from monitor.model import CheckKey, Customer, Subscription
from monitor.probes.probe import RetryPolicy
from monitor.sla.terms import CheckTerms, ServerTerms, measured_checks, terms_body, terms_from_body
from tests.config.sample_config import COMPLETE_CONFIG, CUSTOMER, SERVER, SERVICE, SUBSCRIPTION, faults_of, load_text

EXAMPLE = """
include = ["servers.d/*.toml"]       # customers, servers, subscriptions may live in many files

[monitor]
data_dir = "data"                    # relative to this file
interval = 60                        # seconds between sweeps (8.2)
timeout = 5.0
retries = 2
retry_wait = 5.0
canaries = ["192.0.2.1", "198.51.100.1"]   # none: self-check off

[contract]
timezone = "Europe/Istanbul"
rounding = "down"                    # or "half-up"
rolling_days = 30
operator_emails = ["noc@example.com"]

[web]
listen = "127.0.0.1:9809"
public_url = "https://sla.example.com"

[email]
transport = "file"                   # "smtp"
from = "SLA <sla@example.com>"
host = "127.0.0.1"
port = 587
security = "starttls"                # "tls", "none"
username = "sla"
password_file = "smtp-password"      # or a systemd credential of that name

[[customer]]
id = "acme"
name = "Acme Ltd"
emails = ["it@acme.example"]
language = "tr"                      # or "en"

[[server]]
id = "web-01"
address = "192.0.2.10"               # IPv4, IPv6 or a host name
level = 4
parent = "switch-a"                  # optional: another server that it hangs on
reach = "icmp"                       # or "tcp:22" where ICMP is dropped on purpose

[[server.service]]
name = "site"
type = "https"                       # see `monitor checks` for the types and their keys
url = "https://www.acme.example/"    # other types: host (default: the server's address) and port

[[subscription]]
id = "acme-web-01"
customer = "acme"
server = "web-01"
product = "server"                   # "web-hosting", "colocation"
fee = "49.90"
currency = "USD"
months = 1                           # the fee covers so many months
start = 2026-01-01                   # first day; optional, as is end, the last day
"""
SWITCH = '[[server]]\nid = "switch-a"\naddress = "192.0.2.2"\nlevel = 2\nreach = "tcp:22"\n'


def only(settings: object) -> Any:
    """Settings of a check type, whose fields the type alone knows."""
    return settings


def test_the_documented_example_becomes_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "servers.d").mkdir()
    (tmp_path / "servers.d" / "switches.toml").write_text(SWITCH)
    config = load_text(tmp_path, EXAMPLE)
    assert config.path == tmp_path / "config.toml"
    assert config.files == (tmp_path / "config.toml", tmp_path / "servers.d" / "switches.toml")
    assert config.data_dir == tmp_path / "data"
    assert config.monitor == MonitorSettings(interval=60_000, timeout=5_000, retries=2, retry_wait=5_000)
    assert config.canaries == ("192.0.2.1", "198.51.100.1")
    assert config.contract == ContractSettings("Europe/Istanbul", "down", 30, ("noc@example.com",))
    assert config.web.listen == ListenAddress("127.0.0.1", 9809)
    assert config.web.public_url == "https://sla.example.com/"
    assert config.email == EmailSettings(
        transport="file",
        sender="SLA <sla@example.com>",
        host="127.0.0.1",
        port=587,
        security="starttls",
        username="sla",
        password_file=tmp_path / "smtp-password",
    )
    assert config.customers == (Customer("acme", "Acme Ltd", ("it@acme.example",), "tr"),)
    assert config.subscriptions == (
        Subscription("acme-web-01", "acme", "web-01", "server", Decimal("49.90"), "USD", 1, dt.date(2026, 1, 1), None),
    )
    web, switch = config.servers
    assert (web.id, web.address, web.level, web.parent) == ("web-01", "192.0.2.10", 4, "switch-a")
    assert [(check.key, check.type) for check in web.checks] == [
        (CheckKey("web-01", "ping"), "icmp"),
        (CheckKey("web-01", "site"), "https"),
    ]
    assert only(web.checks[1].settings).url == "https://www.acme.example/"
    assert [(check.key, check.type) for check in switch.checks] == [(CheckKey("switch-a", "ping"), "tcp")]
    assert only(switch.checks[0].settings).port == 22


def test_an_empty_file_is_a_configuration_of_defaults(tmp_path: Path) -> None:
    config = load_text(tmp_path, "")
    assert config.data_dir == tmp_path / "data"
    assert config.monitor == MonitorSettings(interval=60_000, timeout=5_000, retries=2, retry_wait=5_000)
    assert config.contract == ContractSettings("Europe/Istanbul", "down", 30, ())
    assert str(config.web.listen) == "127.0.0.1:9809"
    assert config.web.public_url == "http://127.0.0.1:9809/"
    assert (config.email.transport, config.email.host, config.email.port) == ("file", "127.0.0.1", 587)
    assert (config.email.username, config.email.password_file) == (None, None)
    assert (config.canaries, config.customers, config.servers, config.subscriptions) == ((), (), (), ())


def test_only_ids_names_addresses_references_level_and_product_must_be_given(tmp_path: Path) -> None:
    config = load_text(tmp_path, COMPLETE_CONFIG)
    assert config.customers[0].language == "tr"
    assert config.servers[0].parent is None
    assert config.servers[0].checks[0].type == "icmp"
    assert config.subscriptions[0] == Subscription(
        "acme-web-01", "acme", "web-01", "web-hosting", None, None, 1, None, None
    )


def test_a_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = load_text(tmp_path, COMPLETE_CONFIG)
    with pytest.raises(FrozenInstanceError):
        config.canaries = ("192.0.2.1",)  # type: ignore[misc]


def test_things_are_found_by_their_ids(tmp_path: Path) -> None:
    config = load_text(tmp_path, COMPLETE_CONFIG)
    assert config.customers_by_id["acme"] is config.customers[0]
    assert config.servers_by_id["web-01"] is config.servers[0]
    assert config.subscriptions_by_id["acme-web-01"] is config.subscriptions[0]


@pytest.mark.parametrize(("level", "names"), [(1, []), (2, ["ping"]), (3, ["ping"]), (4, ["ping"])])
def test_a_level_says_whether_a_server_is_probed(tmp_path: Path, level: int, names: list[str]) -> None:
    config = load_text(tmp_path, SERVER.replace("level = 4", f"level = {level}"))
    assert [check.key.name for check in config.servers[0].checks] == names


def test_two_services_follow_the_ping_in_their_order(tmp_path: Path) -> None:
    mail = SERVICE.replace("site", "mail").replace("https", "tcp").split("url")[0]
    config = load_text(tmp_path, SERVER + mail + SERVICE)
    assert [check.key.name for check in config.servers[0].checks] == ["ping", "mail", "site"]


@pytest.mark.parametrize(
    "address", ["192.0.2.10", "2001:db8::10", "fe80::1%eth0", "localhost", "WWW.Acme.example", "a"]
)
def test_an_address_is_kept_as_it_is_written(tmp_path: Path, address: str) -> None:
    assert load_text(tmp_path, SERVER.replace("192.0.2.10", address)).servers[0].address == address


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_of_mail_follows_from_its_security(tmp_path: Path, security: str, port: int) -> None:
    assert load_text(tmp_path, f'[email]\nsecurity = "{security}"\n').email.port == port


def test_a_port_of_mail_that_is_given_stays(tmp_path: Path) -> None:
    assert load_text(tmp_path, '[email]\nsecurity = "tls"\nport = 2465\n').email.port == 2465


@pytest.mark.parametrize(
    ("listen", "kept", "public"),
    [
        ("127.0.0.1:80", ListenAddress("127.0.0.1", 80), "http://127.0.0.1:80/"),
        ("[::1]:9809", ListenAddress("::1", 9809), "http://[::1]:9809/"),
        ("localhost:65535", ListenAddress("localhost", 65535), "http://localhost:65535/"),
        ("0.0.0.0:9809", ListenAddress("0.0.0.0", 9809), "http://127.0.0.1:9809/"),
        ("[::]:9809", ListenAddress("::", 9809), "http://[::1]:9809/"),
    ],
)
def test_links_lead_to_where_the_pages_are(tmp_path: Path, listen: str, kept: ListenAddress, public: str) -> None:
    web = load_text(tmp_path, f'[web]\nlisten = "{listen}"\n').web
    assert (web.listen, str(web.listen), web.public_url) == (kept, listen, public)


@pytest.mark.parametrize("url", ["https://sla.example.com", "https://sla.example.com/", "http://[::1]:8080/sla/"])
def test_a_public_url_ends_in_a_slash(tmp_path: Path, url: str) -> None:
    assert load_text(tmp_path, f'[web]\npublic_url = "{url}"\n').web.public_url == url.rstrip("/") + "/"


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [("5", 5_000), ("5.0", 5_000), ("0.01", 10), ("0.1", 100), ("1.001", 1_001), ("4.35", 4_350), ("1e1", 10_000)],
)
def test_seconds_become_whole_milliseconds_exactly(tmp_path: Path, written: str, milliseconds: int) -> None:
    timeout = load_text(tmp_path, f"[monitor]\nretries = 0\ntimeout = {written}\n").monitor.timeout
    assert (timeout, type(timeout)) == (milliseconds, int)


def test_attempts_that_fill_the_interval_to_the_millisecond_fit(tmp_path: Path) -> None:
    monitor = load_text(tmp_path, "[monitor]\ntimeout = 20\nretries = 1\nretry_wait = 20\n").monitor
    assert monitor.max_check_duration == monitor.interval == 60_000


def test_a_service_has_attempts_of_its_own_that_fill_the_interval_to_the_millisecond(tmp_path: Path) -> None:
    service = SERVICE + "timeout = 26.25\nretries = 1\nretry_wait = 7.5\n"
    settings = only(load_text(tmp_path, SERVER + service).servers[0].checks[1].settings)
    assert (settings.timeout, settings.retries, settings.retry_wait) == (26_250, 1, 7_500)
    assert "timeout = 26.25\nretries = 1\nretry_wait = 7.5\n" in dump_toml(load_text(tmp_path, SERVER + service))


def test_keys_that_a_service_does_not_have_are_those_of_all_checks(tmp_path: Path) -> None:
    monitor = "[monitor]\ntimeout = 10\nretries = 1\n"
    settings = only(load_text(tmp_path, monitor + SERVER + SERVICE + "retries = 2\n").servers[0].checks[1].settings)
    assert (settings.timeout, settings.retries, settings.retry_wait) == (None, 2, None)
    assert RetryPolicy(10.0, 1, 5.0).for_check(settings) == RetryPolicy(10.0, 2, 5.0)
    everywhere = RetryPolicy(10.0, 1, 5.0)
    assert everywhere.for_check(only(load_text(tmp_path, SERVER + SERVICE).servers[0].checks[1].settings)) is everywhere


def test_a_subscription_of_one_day_is_right(tmp_path: Path) -> None:
    text = CUSTOMER + SERVER + SERVICE + SUBSCRIPTION + "start = 2026-03-01\nend = 2026-03-01\n"
    assert load_text(tmp_path, text).subscriptions[0].end == dt.date(2026, 3, 1)


def test_a_byte_order_mark_and_lines_of_windows_are_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf" + COMPLETE_CONFIG.replace("\n", "\r\n").encode())
    assert load(file).servers[0].id == "web-01"


def test_a_parent_may_stand_after_its_child_and_hang_on_another(tmp_path: Path) -> None:
    def server(name: str, parent: str) -> str:
        return f'[[server]]\nid = "{name}"\naddress = "192.0.2.1"\nlevel = 2\n' + (
            f'parent = "{parent}"\n' * bool(parent)
        )

    text = server("a", "b") + server("b", "d") + server("c", "b") + server("d", "")
    assert [one.parent for one in load_text(tmp_path, text).servers] == ["b", "d", "b", None]


def test_the_terms_are_those_of_the_configuration(tmp_path: Path) -> None:
    level_1 = '[[server]]\nid = "old"\naddress = "192.0.2.11"\nlevel = 1\n'
    config = load_text(tmp_path, "[monitor]\ninterval = 30.5\ntimeout = 5\n" + COMPLETE_CONFIG + level_1)
    terms = config.terms(in_force=1_790_000_000_000)
    assert (terms.in_force, terms.timezone, terms.rounding) == (1_790_000_000_000, "Europe/Istanbul", "down")
    assert (terms.rolling_days, terms.interval) == (30, 30_500)
    assert terms.servers == {
        "web-01": ServerTerms(4, (CheckTerms("ping", "icmp"), CheckTerms("site", "https"))),
        "old": ServerTerms(1),
    }
    assert terms.subscriptions == {"acme-web-01": config.subscriptions[0]}
    assert terms.customers == {"acme": "Acme Ltd"}
    assert measured_checks(terms, config.subscriptions[0]) == ("site",)
    assert terms_from_body(terms.in_force, terms_body(terms)) == terms


class TestIncludes:
    def test_files_are_read_in_the_order_of_patterns_and_names(self, tmp_path: Path) -> None:
        for name in ("b", "a", "z"):
            (tmp_path / f"{name}.toml").write_text(SERVER.replace("web-01", name))
        config = load_text(tmp_path, 'include = ["z.toml", "[ab].toml"]\n' + SERVER)
        assert [server.id for server in config.servers] == ["web-01", "z", "a", "b"]

    def test_a_file_is_read_once_however_often_it_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "a.toml").write_text(SERVER)
        (tmp_path / "b.toml").symlink_to("a.toml")
        patterns = f'include = ["a.toml", "*.toml", "./a.toml", "../{tmp_path.name}/a.toml"]\n'
        config = load_text(tmp_path, patterns + CUSTOMER)
        assert [file.name for file in config.files] == ["config.toml", "a.toml"]
        assert len(config.customers) == len(config.servers) == 1

    def test_folders_at_any_depth_are_found(self, tmp_path: Path) -> None:
        (tmp_path / "x" / "y").mkdir(parents=True)
        (tmp_path / "x" / "y" / "a.toml").write_text(SERVER)
        assert len(load_text(tmp_path, 'include = ["x/**/*.toml"]\n').servers) == 1

    def test_what_an_editor_leaves_behind_is_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / ".#a.toml").symlink_to("nobody@nowhere")
        (tmp_path / "d" / "a.toml").write_text(SERVER)
        assert len(load_text(tmp_path, 'include = ["d/*.toml"]\n').servers) == 1

    def test_a_folder_may_be_named_like_a_pattern(self, tmp_path: Path) -> None:
        folder = tmp_path / "conf[1]"
        folder.mkdir()
        (folder / "a.toml").write_text(SERVER)
        assert len(load_text(folder, 'include = ["a*.toml"]\n').servers) == 1

    def test_an_absolute_path_is_taken_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "a.toml").write_text(SERVER)
        config = load_text(tmp_path / "here", f'include = ["{tmp_path}/elsewhere/a.toml"]\n')
        assert config.files[1] == tmp_path / "elsewhere" / "a.toml"

    def test_references_cross_files_in_either_direction(self, tmp_path: Path) -> None:
        (tmp_path / "a.toml").write_text(SUBSCRIPTION + CUSTOMER)
        assert load_text(tmp_path, 'include = ["a.toml"]\n' + SERVER + SERVICE).subscriptions[0].server == "web-01"

    def test_a_link_to_nowhere_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "gone.toml").symlink_to("nowhere.toml")
        (fault,) = faults_of(tmp_path, 'include = ["gone.toml"]\n')
        assert (fault.file, fault.value) == (str(tmp_path / "gone.toml"), "missing")

    def test_a_link_to_itself_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "loop.toml").symlink_to("loop.toml")
        (fault,) = faults_of(tmp_path, 'include = ["loop.toml"]\n')
        assert fault.value == "unreadable"


class TestPaths:
    def test_the_data_are_relative_to_the_file_and_not_to_where_one_stands(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load_text(tmp_path / "conf", COMPLETE_CONFIG)
        monkeypatch.chdir(tmp_path)
        assert load(Path("conf/config.toml")).data_dir == tmp_path / "conf" / "data"

    def test_data_that_are_there_already_are_no_fault(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        assert load_text(tmp_path, "").data_dir == tmp_path / "data"

    @pytest.mark.parametrize("path", ["config.toml/data", "x" * 300])
    def test_data_that_could_never_be_written_are_told(self, tmp_path: Path, path: str) -> None:
        (fault,) = faults_of(tmp_path, f'[monitor]\ndata_dir = "{path}"\n')
        assert (fault.table, fault.key) == ("monitor", "data_dir")

    @pytest.mark.parametrize(
        ("path", "value"),
        [("none.toml", "missing"), (".", "a folder"), ("x" * 300, "unreadable"), ("a\0b", "unreadable")],
    )
    def test_a_configuration_that_cannot_be_read_is_one_clear_fault(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, value: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigError) as caught:
            load(Path(path))
        (fault,) = caught.value.faults
        assert (fault.file, fault.value) == (path, value)


class TestPassword:
    def email(self, folder: Path) -> EmailSettings:
        return load_text(folder, '[email]\nusername = "sla"\npassword_file = "secrets/smtp"\n').email

    def written(self, file: Path, content: bytes) -> Path:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        return file

    @pytest.mark.parametrize("content", [b"s3cret", b"s3cret\n", b"s3cret\r\n"])
    def test_it_is_the_line_in_its_file(self, tmp_path: Path, content: bytes) -> None:
        self.written(tmp_path / "secrets" / "smtp", content)
        assert self.email(tmp_path).read_password({}) == "s3cret"

    def test_spaces_belong_to_it(self, tmp_path: Path) -> None:
        self.written(tmp_path / "secrets" / "smtp", b" a b \n")
        assert self.email(tmp_path).read_password({}) == " a b "

    def test_a_credential_of_that_name_goes_before_the_file(self, tmp_path: Path) -> None:
        self.written(tmp_path / "secrets" / "smtp", b"old")
        credential = self.written(tmp_path / "credentials" / "smtp", b"new")
        email = self.email(tmp_path)
        assert email.read_password({"CREDENTIALS_DIRECTORY": str(credential.parent)}) == "new"
        credential.unlink()
        assert email.read_password({"CREDENTIALS_DIRECTORY": str(credential.parent)}) == "old"

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (None, "cannot be read: No such file"),
            (b"", "must hold one line"),
            (b"\n", "must hold one line"),
            (b"s3cret\nand more\n", "must hold one line"),
            (b"s3cret\xff", "is not UTF-8"),
        ],
    )
    def test_where_there_is_none_the_file_is_named_and_not_its_content(
        self, tmp_path: Path, content: bytes | None, told: str
    ) -> None:
        if content is not None:
            self.written(tmp_path / "secrets" / "smtp", content)
        with pytest.raises(InputError, match=told) as caught:
            self.email(tmp_path).read_password({})
        assert str(tmp_path / "secrets" / "smtp") in str(caught.value)
        assert "s3cret" not in str(caught.value)

    def test_a_folder_in_its_place_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "secrets" / "smtp").mkdir(parents=True)
        with pytest.raises(InputError, match="Is a directory"):
            self.email(tmp_path).read_password({})

    def test_without_a_file_there_is_nothing_to_log_in_with(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="is not set"):
            load_text(tmp_path, "").email.read_password({})

    def test_no_repr_holds_it(self, tmp_path: Path) -> None:
        self.written(tmp_path / "secrets" / "smtp", b"s3cret")
        email = self.email(tmp_path)
        email.read_password({})
        assert "s3cret" not in repr(email)


@pytest.mark.parametrize(
    ("web", "link"),
    [
        ("", ""),
        ('listen = "0.0.0.0:9809"', ""),
        ('listen = "192.0.2.10:9809"', ""),
        ('listen = "192.0.2.10:9809"\npublic_url = "http://192.0.2.10:9809/"', ""),
        ('public_url = "http://localhost:9809/"', ""),
        ('public_url = "http://LOCALHOST./"', ""),
        ('public_url = "http://page.localhost/"', ""),
        ('public_url = "https://127.0.0.1/"', ""),
        ('public_url = "http://[::1]:9809/"', ""),
        ('public_url = "http://[::ffff:127.0.0.1]/"', ""),
        ('public_url = "http://169.254.1.1/"', ""),
        ('public_url = "http://[fe80::1]/"', ""),
        ('public_url = "https://sla.example.com/page"', "https://sla.example.com/page/"),
        ('public_url = "http://203.0.113.5/"', "http://203.0.113.5/"),
    ],
)
def test_a_customers_mail_links_only_to_a_page_that_is_given_for_others(tmp_path: Path, web: str, link: str) -> None:
    customer = '[[customer]]\nid = "acme"\nname = "Acme"\nemails = ["it@acme.example"]\n'
    context = ledger_context(load_text(tmp_path, f"[web]\n{web}\n{customer}"), 0)
    assert context.recipient("acme").url == link
    assert context.recipient(None).url != ""
    letter = compose(OutageMail(context.recipient("acme"), (ServerEvents("web-01", (OutageStarted("ping", 0, "x"),)),)))
    assert ("http" in letter.text, "http" in letter.html.replace("http-equiv", "")) == (bool(link), bool(link))
