"""The shipped unit, under a systemd that was really booted: start, reload, watchdog, restart, stop."""

from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.booted_machine import Machine, Unavailable, boot

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),  # the first run builds the tree
    pytest.mark.xdist_group("systemd"),
]

REPOSITORY = Path(__file__).parents[2]
UNIT = "monitor.service"
PROGRAM = "/opt/sla-monitor/bin/monitor"
LOGIN = """
username = "sla"
password_file = "smtp-password"
"""
CONFIG = f"""
[monitor]
data_dir = "/var/lib/monitor"
interval = 2
timeout = 1
retries = 0

[email]
transport = "smtp"
from = "SLA <sla@example.com>"
host = "127.0.0.1"
{LOGIN}
[[server]]
id = "itself"
address = "127.0.0.1"
level = 2
"""
REDIS = """
import shlex, socketserver
class Turn(socketserver.StreamRequestHandler):
    def handle(self):
        proven = False
        for line in self.rfile:
            words = shlex.split(line.decode())
            proven = proven or words == ["AUTH", "probe", "as systemd keeps it"]
            answer = "-NOAUTH no" if not proven else "+PONG" if words == ["PING"] else "+OK"
            self.wfile.write(answer.encode() + b"\\r\\n")
socketserver.ThreadingTCPServer(("127.0.0.1", 6379), Turn).serve_forever()
"""
"""A server that answers whoever logs in, without a package more in the tree."""
CACHE = """
[[server]]
id = "cache"
address = "127.0.0.1"
level = 4

[[server.service]]
name = "redis"
type = "redis"
user = "probe"
password_file = "redis-login"
"""
FAULTY = CONFIG.replace("level = 2", "level = 7")
CAP_NET_RAW = 1 << 13


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine on which the program is installed as docs/operations.md says, and not started yet."""
    try:
        with boot(_program(tmp_path_factory.mktemp("program"))) as machine:
            ours, theirs = (
                sys.version_info[:2],
                machine.check_output("python3", "-c", "import sys; print(*sys.version_info[:2])"),
            )
            if f"{ours[0]} {ours[1]}" != theirs:
                pytest.skip(f"the tests run by Python {ours[0]}.{ours[1]}, the booted system has {theirs}")
            machine.write("/etc/monitor/config.toml", CONFIG)
            machine.write("/etc/credstore/monitor.smtp-password", "hidden behind a credential\n", 0o600)
            # the shipped 30 s and 5 s would only make the tests slow
            machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", "[Service]\nWatchdogSec=3\nRestartSec=1\n")
            machine.check_output("systemctl", "enable", UNIT)
            yield machine
    except Unavailable as reason:
        pytest.skip(str(reason))


def _program(here: Path) -> dict[Path, str]:
    """Lay out a virtual environment whose packages are those of the running one, and the sources as they are."""
    opt, version = "/opt/sla-monitor", f"python{sys.version_info[0]}.{sys.version_info[1]}"
    here.chmod(0o755)  # pytest's own folders are closed to the daemon's user
    (here / "bin").mkdir()
    (here / "bin/python").symlink_to("/usr/bin/python3")
    script = here / "bin/monitor"
    script.write_text(f"#!{opt}/bin/python\nimport sys\nfrom monitor.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    (here / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    packages = here / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "program.pth").write_text("/srv/monitor/packages\n/srv/monitor/source\n")
    return {
        here: opt,
        Path(sysconfig.get_path("platlib")): "/srv/monitor/packages",
        REPOSITORY / "monitor": "/srv/monitor/source/monitor",
        REPOSITORY / "systemd" / UNIT: f"/etc/systemd/system/{UNIT}",
        REPOSITORY / "systemd" / "monitor-failed.service": "/etc/systemd/system/monitor-failed.service",
    }


@pytest.fixture
def machine(installed: Machine) -> Iterator[Machine]:
    """The same machine with the daemon running on the good configuration, whatever the last test left."""
    installed.write("/etc/monitor/config.toml", CONFIG)
    installed.check_output("systemctl", "stop", UNIT)
    installed.run("systemctl", "reset-failed", UNIT)
    answer = installed.run("systemctl", "start", UNIT)
    assert answer.status == 0, installed.journal(UNIT)
    yield installed
    installed.run("systemctl", "stop", UNIT)


def _main_process(machine: Machine) -> dict[str, str]:
    status = machine.check_output("cat", f"/proc/{machine.properties(UNIT)['MainPID']}/status")
    return {key: value.strip() for key, _, value in (line.partition(":") for line in status.splitlines())}


def test_it_is_active_once_it_says_so_and_tells_how_it_goes(machine: Machine) -> None:
    shown = machine.properties(UNIT)
    assert (shown["ActiveState"], shown["SubState"], shown["NRestarts"]) == ("active", "running", "0")
    assert shown["StatusText"]


def test_it_runs_as_nobody_known_with_the_one_capability_that_ping_needs(machine: Machine) -> None:
    process = _main_process(machine)
    uids = {int(uid) for uid in process["Uid"].split()}
    assert len(uids) == 1
    assert 61184 <= uids.pop() <= 65519, "not out of systemd's range of dynamic users"
    for held in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(process[held], 16) == CAP_NET_RAW, held
    assert process["NoNewPrivs"] == "1"
    assert process["Seccomp"] == "2"


def test_it_keeps_its_data_in_its_state_directory_for_itself_alone(machine: Machine) -> None:
    uid = _main_process(machine)["Uid"].split()[0]
    kept = machine.check_output("find", "/var/lib/private/monitor", "-type", "f", "-printf", "%U %m %f\n").splitlines()
    assert kept
    assert {line.split()[0] for line in kept} == {uid}
    assert {line.split()[1] for line in kept} == {"600"}


def test_it_can_ping(machine: Machine) -> None:
    machine.wait_until(
        "a first result of ping",
        lambda: '"state": "up"' in machine.run(PROGRAM, "status", "--json").out,
    )


def test_it_can_measure_itself_in_its_sandbox(machine: Machine) -> None:
    get = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9809/metrics').read().decode())"
    metrics = machine.check_output("python3", "-c", get)
    assert {"process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds"} <= set(metrics.split())


def test_what_root_writes_beside_it_does_not_lock_it_out(machine: Machine) -> None:
    announce = ("maintenance", "announce", "--server", "itself", "--reason", "a new fan")
    machine.check_output(PROGRAM, *announce, "--start", "2040-01-01T00:00", "--end", "2040-01-01T01:00")
    machine.check_output("systemctl", "stop", UNIT)
    machine.check_output(PROGRAM, *announce, "--start", "2040-02-01T00:00", "--end", "2040-02-01T01:00")
    machine.check_output("systemctl", "start", UNIT)
    uid = _main_process(machine)["Uid"].split()[0]
    assert set(machine.check_output("find", "/var/lib/private/monitor", "-printf", "%U\n").split()) == {uid}
    before = _results(machine)
    machine.wait_until("a result written after that", lambda: _results(machine) > before)


def _results(machine: Machine) -> int:
    """How many results the books hold, which are whole."""
    count: int = json.loads(machine.check_output(PROGRAM, "verify", "--json"))["results"]
    return count


def test_it_can_read_its_credential_and_nobody_else_can(machine: Machine) -> None:
    process = machine.properties(UNIT)["MainPID"]
    environment = machine.check_output("cat", f"/proc/{process}/environ").split("\0")
    directory = next(
        value for key, _, value in (item.partition("=") for item in environment) if key == "CREDENTIALS_DIRECTORY"
    )
    assert machine.check_output("cat", f"{directory}/smtp-password") == "hidden behind a credential"
    as_somebody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert machine.run(*as_somebody, "cat", f"{directory}/smtp-password").status != 0


def test_a_check_logs_in_with_a_credential_of_a_drop_in(machine: Machine) -> None:
    drop_in = f"/etc/systemd/system/{UNIT}.d/login.conf"
    machine.write("/etc/redis.py", REDIS)
    machine.check_output("systemd-run", "--unit=stand-in", "python3", "/etc/redis.py")
    machine.write("/etc/credstore/redis-login", "as systemd keeps it\n", 0o600)
    machine.write(drop_in, "[Service]\nLoadCredential=redis-login:/etc/credstore/redis-login\n")
    machine.write("/etc/monitor/config.toml", CONFIG + CACHE)
    try:
        machine.check_output("systemctl", "daemon-reload")
        machine.check_output("systemctl", "restart", UNIT)
        machine.wait_until("the login", lambda: _state(machine, "cache", "redis") == "up")
        assert "as systemd keeps it" not in machine.journal(UNIT)
    finally:
        machine.check_output("rm", drop_in)
        machine.check_output("systemctl", "daemon-reload")
        machine.run("systemctl", "stop", "stand-in")


def _state(machine: Machine, server: str, check: str) -> str:
    servers = json.loads(machine.check_output(PROGRAM, "status", "--json"))["servers"]
    checks = next(each["checks"] for each in servers if each["id"] == server)
    state: str = next(each["state"] for each in checks if each["name"] == check)
    return state


def test_it_starts_without_a_credential_where_mail_needs_none(machine: Machine) -> None:
    machine.check_output("mv", "/etc/credstore/monitor.smtp-password", "/etc/credstore/aside")
    try:
        machine.write("/etc/monitor/config.toml", CONFIG.replace(LOGIN, ""))
        machine.check_output("systemctl", "restart", UNIT)
        assert machine.properties(UNIT)["ActiveState"] == "active"
    finally:
        machine.check_output("mv", "/etc/credstore/aside", "/etc/credstore/monitor.smtp-password")


def test_a_reload_takes_the_new_configuration_in_the_same_process(machine: Machine) -> None:
    before = machine.properties(UNIT)
    machine.write("/etc/monitor/config.toml", CONFIG + '\n[[server]]\nid = "other"\naddress = "127.0.0.2"\nlevel = 2\n')
    machine.check_output("systemctl", "reload", UNIT)
    machine.wait_until(
        "the status of two servers", lambda: machine.properties(UNIT)["StatusText"] != before["StatusText"]
    )
    after = machine.properties(UNIT)
    assert (after["ActiveState"], after["MainPID"]) == ("active", before["MainPID"])


def test_a_reload_of_a_faulty_configuration_fails_and_the_daemon_runs_on(machine: Machine) -> None:
    before = machine.properties(UNIT)
    machine.write("/etc/monitor/config.toml", FAULTY)
    assert machine.run("systemctl", "reload", UNIT).status != 0
    assert "level = 7" in machine.journal(UNIT)
    machine.wait_until("running again", lambda: machine.properties(UNIT)["SubState"] == "running")
    after = machine.properties(UNIT)
    assert (after["ActiveState"], after["MainPID"]) == ("active", before["MainPID"])
    assert after["NRestarts"] == "0"


def test_a_faulty_configuration_fails_the_start_and_mending_it_is_enough(machine: Machine) -> None:
    machine.check_output("systemctl", "stop", UNIT)
    machine.write("/etc/monitor/config.toml", FAULTY)
    assert machine.run("systemctl", "start", UNIT).status != 0
    shown = machine.properties(UNIT)
    assert (shown["SubState"], shown["ExecMainStatus"]) == ("auto-restart", "2")
    assert "level = 7" in machine.journal(UNIT)
    machine.write("/etc/monitor/config.toml", CONFIG)
    machine.wait_until("active", lambda: machine.properties(UNIT)["ActiveState"] == "active")


def test_a_daemon_whose_loop_hangs_is_restarted_by_the_watchdog(machine: Machine) -> None:
    hung = machine.properties(UNIT)["MainPID"]
    machine.check_output("kill", "-STOP", hung)
    machine.wait_until("restarted", lambda: machine.properties(UNIT)["NRestarts"] == "1")
    machine.wait_until("active again", lambda: machine.properties(UNIT)["ActiveState"] == "active")
    assert machine.properties(UNIT)["MainPID"] != hung
    assert "Watchdog timeout" in machine.journal(UNIT)


def test_a_daemon_that_was_killed_is_restarted(machine: Machine) -> None:
    machine.check_output("kill", "-KILL", machine.properties(UNIT)["MainPID"])
    machine.wait_until("restarted", lambda: machine.properties(UNIT)["NRestarts"] == "1")
    machine.wait_until("active again", lambda: machine.properties(UNIT)["ActiveState"] == "active")


def test_it_stops_within_ten_seconds_when_asked(machine: Machine) -> None:
    machine.check_output("systemctl", "stop", UNIT)
    shown = machine.properties(UNIT)
    # killed for its slowness, the result would be "timeout"
    assert (shown["ActiveState"], shown["Result"], shown["ExecMainStatus"]) == ("inactive", "success", "0")
    begun, ended = int(shown["ActiveExitTimestampMonotonic"]), int(shown["InactiveEnterTimestampMonotonic"])
    assert 0 < ended - begun <= 10_000_000


def test_systemd_finds_nothing_wrong_with_the_unit(installed: Machine) -> None:
    answer = installed.run("systemd-analyze", "verify", f"/etc/systemd/system/{UNIT}")
    assert (answer.status, answer.out, answer.err) == (0, "", "")


def test_the_sandbox_leaves_little_exposed(installed: Machine) -> None:
    answer = installed.run(
        "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", f"/etc/systemd/system/{UNIT}"
    )
    assert answer.status == 0, answer.out
