"""Mail servers, and what mailboxes are read by."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.lab_certificates import NAME
from tests.integration.lab_servers import (
    LOGIN,
    PASSWORD,
    TLS,
    USER,
    RefusalSetup,
    ServerKind,
    program_path,
    run_output,
    write_config,
)
from tests.integration.postfix import services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.lab_servers import Check, ServerFiles


def _postfix(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    for name in ("etc", "spool", "data"):
        (files.folder / name).mkdir(exist_ok=True)
    shutil.chown(files.folder / "data", "postfix")
    write_config(
        files,
        "etc/main.cf",
        """compatibility_level = 3.6
queue_directory = {D}/spool
data_directory = {D}/data
maillog_file = {D}/postfix.mail
maillog_file_prefixes = {D}
myhostname = mx.lab.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
default_transport = error:no mail leaves this machine
smtpd_tls_cert_file = {CERT}
smtpd_tls_key_file = {KEY}
smtpd_tls_security_level = may
smtpd_client_connection_count_limit = 15
smtpd_client_event_limit_exceptions =
""",
    )
    listening = [line for line in services() if not line.startswith("smtp inet")]
    listening.append(f"127.0.0.1:{ports['smtp']} inet n - n - - smtpd")
    listening.append(f"127.0.0.1:{ports['smtps']} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes")
    closed = "-o smtpd_delay_reject=no -o smtpd_client_restrictions=reject"
    listening.append(f"127.0.0.1:{ports['closed']} inet n - n - - smtpd {closed}")
    folder = Path(write_config(files, "etc/master.cf", "\n".join([*listening, ""]))).parent
    # the usual way to start it leaves the session that the test started, and could not be frozen with it
    master = run_output("postconf", "-c", str(folder), "-h", "daemon_directory").strip() + "/master"
    return ["sh", "-c", f"{program_path('postfix')} -c {folder} check && exec {master} -c {folder} -d"]


def _exim(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    file = write_config(
        files,
        "exim.conf",
        f"""spool_directory = {{D}}/exim
log_file_path = {{D}}/exim/%slog
pid_file_path = {{D}}/exim/pid
primary_hostname = {NAME}
daemon_smtp_ports = {ports["smtp"]} : {ports["smtps"]}
tls_on_connect_ports = {ports["smtps"]}
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = {{CERT}}
tls_privatekey = {{KEY}}
host_lookup =
keep_environment =
rfc1413_hosts =
acl_smtp_rcpt = deny
smtp_accept_max = 15
never_users =
begin acl
deny:
  deny
""",
    )
    (files.folder / "exim").mkdir(exist_ok=True)
    shutil.chown(files.folder / "exim", "mail", "mail")
    # Debian's exim insists on its user, whom only the package makes: it sees a list of users of its own
    users = files.folder / "passwd"
    users.write_text(Path("/etc/passwd").read_text() + "Debian-exim:x:8:8::/nonexistent:/bin/false\n")
    groups = files.folder / "group"
    groups.write_text(Path("/etc/group").read_text() + "Debian-exim:x:8:\n")
    binds = f"mount --bind {users} /etc/passwd && mount --bind {groups} /etc/group"
    inside = f"{binds} && exec {program_path('exim4')} -bdf -C {file}"
    return ["unshare", "--mount", "sh", "-c", inside]


def _dovecot(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    listeners = "".join(
        f"service {service}-login {{\n inet_listener {plain} {{\n port = {ports[plain]}\n }}\n"
        f" inet_listener {tls} {{\n port = {ports[tls]}\n ssl = yes\n }}\n}}\n"
        for service, plain, tls in (("imap", "imap", "imaps"), ("pop3", "pop3", "pop3s"))
    )
    file = write_config(
        files,
        "dovecot.conf",
        f"""base_dir = {{D}}/run-dovecot
log_path = {{D}}/dovecot.err
listen = 127.0.0.1
protocols = imap pop3
ssl = yes
ssl_cert = <{{CERT}}
ssl_key = <{{KEY}}
mail_location = maildir:{{D}}/mail/%n
first_valid_uid = 8
mail_max_userip_connections = 5
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = static
  args = user={USER} password={PASSWORD.replace(" ", "_")}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={{D}}/mail/%n
}}
{listeners}""",
    )
    files.password.write_text(PASSWORD.replace(" ", "_"))
    (files.folder / "mail").mkdir(exist_ok=True)
    shutil.chown(files.folder / "mail", "mail", "mail")
    return [program_path("dovecot"), "-F", "-c", file]


_SMTP: tuple[Check, ...] = (
    ("smtp", "smtp", {}),
    ("smtp", "smtp", {"starttls": True, **TLS}),
    ("submission", "smtp", TLS),
    ("smtps", "smtps", TLS),
)
_SECURED = {**TLS, **LOGIN}
_IMAP: tuple[Check, ...] = (
    ("imap", "imap", {}),
    ("imap", "imap", {"starttls": True, **_SECURED}),
    ("imaps", "imaps", _SECURED),
)
_POP3: tuple[Check, ...] = (
    ("pop3", "pop3", {}),
    ("pop3", "pop3", {"starttls": True, **_SECURED}),
    ("pop3s", "pop3s", _SECURED),
)
_LIMIT_REFUSAL = RefusalSetup(10, f"a LOGIN {USER} {PASSWORD.replace(' ', '_')}\r\n".encode(), _IMAP[1])

MAIL = (
    ServerKind("postfix", "postfix", ("smtp", "smtps", "closed"), _postfix, _SMTP, RefusalSetup(20), root=True),
    ServerKind("exim4", "exim4", ("smtp", "smtps"), _exim, _SMTP, RefusalSetup(20), root=True),
    ServerKind(
        "dovecot", "dovecot", ("imap", "imaps", "pop3", "pop3s"), _dovecot, (*_IMAP, *_POP3), _LIMIT_REFUSAL, root=True
    ),
)
