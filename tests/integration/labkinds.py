"""The servers that checks are tried against, as data."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.labservers import NAME, PASSWORD, USER, Grounds, Kind, program, write

if TYPE_CHECKING:
    from collections.abc import Mapping


def _path(name: str) -> str:
    return program(name) or name


def _nginx(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    temporary = " ".join(
        f"{name}_temp_path {{D}}/nginx-{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = write(
        grounds,
        "nginx.conf",
        f"""worker_processes 1; pid {{D}}/nginx.pid; daemon off; error_log {{D}}/nginx.err; user root;
events {{ worker_connections 64; }}
http {{ access_log off; {temporary}
 server {{ listen 127.0.0.1:{ports["http"]}; root {{D}}/www; location /500 {{ return 500; }} }}
 server {{ listen 127.0.0.1:{ports["https"]} ssl; root {{D}}/www;
  ssl_certificate {{CERT}}; ssl_certificate_key {{KEY}}; }}
 server {{ listen 127.0.0.1:{ports["expired"]} ssl; ssl_certificate {{OLD_CERT}}; ssl_certificate_key {{OLD_KEY}}; }} }}
""",
    )
    return [_path("nginx"), "-c", file, "-e", str(grounds.folder / "nginx.err")]


def _apache(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "ssl", "dir")
    )
    file = write(
        grounds,
        "apache.conf",
        f"""{modules}ServerName {NAME}
User nobody
Group nogroup
PidFile {{D}}/apache.pid
ErrorLog {{D}}/apache.err
Listen 127.0.0.1:{ports["http"]}
Listen 127.0.0.1:{ports["https"]}
DocumentRoot {{D}}/www
DirectoryIndex index.html
StartServers 1
<VirtualHost 127.0.0.1:{ports["https"]}>
SSLEngine on
SSLCertificateFile {{CERT}}
SSLCertificateKeyFile {{KEY}}
</VirtualHost>
""",
    )
    return [_path("apache2"), "-d", str(grounds.folder), "-f", file, "-DFOREGROUND"]


def _exim(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    file = write(
        grounds,
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
never_users =
begin acl
deny:
  deny
""",
    )
    (grounds.folder / "exim").mkdir(exist_ok=True)
    shutil.chown(grounds.folder / "exim", "mail", "mail")
    # Debian's exim insists on its user, whom only the package makes: it sees a list of users of its own
    users = grounds.folder / "passwd"
    users.write_text(Path("/etc/passwd").read_text() + "Debian-exim:x:8:8::/nonexistent:/bin/false\n")
    groups = grounds.folder / "group"
    groups.write_text(Path("/etc/group").read_text() + "Debian-exim:x:8:\n")
    binds = f"mount --bind {users} /etc/passwd && mount --bind {groups} /etc/group"
    inside = f"{binds} && exec {_path('exim4')} -bdf -C {file}"
    return ["unshare", "--mount", "sh", "-c", inside]


def _dovecot(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    listeners = "".join(
        f"service {service}-login {{\n inet_listener {plain} {{\n port = {ports[plain]}\n }}\n"
        f" inet_listener {tls} {{\n port = {ports[tls]}\n ssl = yes\n }}\n}}\n"
        for service, plain, tls in (("imap", "imap", "imaps"), ("pop3", "pop3", "pop3s"))
    )
    file = write(
        grounds,
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
    grounds.password.write_text(PASSWORD.replace(" ", "_"))
    (grounds.folder / "mail").mkdir(exist_ok=True)
    shutil.chown(grounds.folder / "mail", "mail", "mail")
    return [_path("dovecot"), "-F", "-c", file]


def _vsftpd(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    (grounds.folder / "empty").mkdir(exist_ok=True)
    file = write(
        grounds,
        "vsftpd.conf",
        f"""listen=YES
background=NO
listen_address=127.0.0.1
listen_port={ports["ftp"]}
anonymous_enable=YES
anon_root={{D}}/www
secure_chroot_dir={{D}}/empty
seccomp_sandbox=NO
max_clients=10
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file={{CERT}}
rsa_private_key_file={{KEY}}
""",
    )
    return [_path("vsftpd"), file]


def _proftpd(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    file = write(
        grounds,
        "proftpd.conf",
        f"""ServerName lab
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
Port {ports["ftp"]}
User nobody
Group nogroup
UseReverseDNS off
WtmpLog off
PidFile {{D}}/proftpd.pid
ScoreboardFile {{D}}/proftpd.score
DelayTable none
""",
    )
    return [_path("proftpd"), "-n", "-c", file]


def _sshd(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    for kind in ("ed25519", "ecdsa", "rsa"):
        key = grounds.folder / f"host_{kind}"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True, timeout=60)
    os.makedirs("/run/sshd", exist_ok=True)  # noqa: PTH103 - where sshd wants it
    keys = [word for kind in ("ed25519", "ecdsa", "rsa") for word in ("-h", str(grounds.folder / f"host_{kind}"))]
    options = [
        f"ListenAddress=127.0.0.1:{ports['ssh']}",
        "UsePAM=no",
        "MaxStartups=10:100:10",
        f"PidFile={grounds.folder}/sshd.pid",
    ]
    return [_path("sshd"), "-D", "-e", "-f", "/dev/null", *keys, *(word for each in options for word in ("-o", each))]


def fingerprint(folder: Path, kind: str) -> str:
    """Compute what ssh-keygen -l prints of a host key."""
    blob = base64.b64decode((folder / f"host_{kind}.pub").read_text().split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


_ZONE = """$TTL 30
@ IN SOA ns root 1 60 60 60 60
@ IN NS ns
@ IN MX 10 mx
ns IN A 127.0.0.54
www IN A 127.0.0.1
""" + "".join(f'many IN TXT "{number:03d}{"x" * 200}"\n' for number in range(40))


def _named(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    write(grounds, "lab.zone", _ZONE)
    file = write(
        grounds,
        "named.conf",
        f"""options {{ directory "{{D}}"; pid-file "{{D}}/named.pid"; session-keyfile "{{D}}/named.session";
 listen-on port {ports["dns"]} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;
 allow-query-cache {{ none; }}; }};
controls {{ }};
zone "lab.test" {{ type primary; file "{{D}}/lab.zone"; }};
""",
    )
    return [_path("named"), "-f", "-c", file, "-n", "1"]


def _unbound(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    file = write(
        grounds,
        "unbound.conf",
        f"""server:
  interface: 127.0.0.1
  port: {ports["dns"]}
  do-daemonize: no
  pidfile: {{D}}/unbound.pid
  chroot: ""
  username: ""
  directory: {{D}}
  use-syslog: no
  local-zone: "lab.test." static
  local-data: "www.lab.test. 30 IN A 127.0.0.1"
  local-data: "lab.test. 30 IN MX 10 mx.lab.test."
remote-control:
  control-enable: no
""",
    )
    return [_path("unbound"), "-d", "-c", file]


def _mariadb(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    data = grounds.folder / "mysql"
    as_user = ["--user=mysql"] if os.geteuid() == 0 else []
    if not data.exists():
        data.mkdir()
        if as_user:
            shutil.chown(data, "mysql", "mysql")
        subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", *as_user, f"--datadir={data}", "--skip-test-db"),
                "--auth-root-authentication-method=normal",
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
    first = grounds.folder / "first.sql"
    first.write_text(
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
        f"CREATE USER IF NOT EXISTS '{USER}'@'localhost' IDENTIFIED BY '{PASSWORD}';\n"
        "DELETE FROM mysql.global_priv WHERE User='';\nFLUSH PRIVILEGES;\n"
    )
    return [
        *(_path("mariadbd"), "--no-defaults", *as_user, f"--datadir={data}", f"--socket={data}/my.sock"),
        *("--bind-address=127.0.0.1", f"--port={ports['mysql']}", f"--pid-file={data}/my.pid", f"--init-file={first}"),
        *("--innodb-buffer-pool-size=8M", "--skip-log-bin", "--max-connections=10", "--max-connect-errors=3"),
        *(f"--ssl-cert={grounds.certificate}", f"--ssl-key={grounds.key}"),
    ]


def _postgresql(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    data = grounds.folder / "pg"
    drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if not data.exists():
        data.mkdir(mode=0o700)
        key = grounds.folder / "pg.key"
        key.write_bytes(grounds.key.read_bytes())
        key.chmod(0o600)
        if drop:
            shutil.chown(data, "postgres", "postgres")
            shutil.chown(key, "postgres", "postgres")
        command = [*drop, _path("initdb"), "-D", str(data), "-A", "scram-sha-256", "-U", "postgres"]
        command += [f"--pwfile={grounds.password}"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with (data / "postgresql.conf").open("a") as opened:
            opened.write(
                f"ssl = on\nssl_cert_file = '{grounds.certificate}'\nssl_key_file = '{key}'\n"
                "max_connections = 5\nmax_wal_senders = 0\nautovacuum_max_workers = 1\nmax_worker_processes = 1\n"
                f"listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nport = {ports['postgresql']}\n"
            )
    return [*drop, _path("postgres"), "-D", str(data)]


def _redis(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    tls = ["--tls-cert-file", str(grounds.certificate), "--tls-key-file", str(grounds.key), "--tls-auth-clients", "no"]
    return [
        *(_path("redis-server"), "--port", str(ports["redis"]), "--bind", "127.0.0.1", "--save", ""),
        *(
            "--maxclients",
            "8",
            "--dir",
            str(grounds.folder),
            "--requirepass",
            PASSWORD,
            "--tls-port",
            str(ports["rediss"]),
            *tls,
        ),
    ]


_TLS = {"ca_file": "CA"}
_LOGIN = {"user": USER, "password_file": "PASSWORD"}

KINDS = (
    Kind(
        "nginx",
        "nginx",
        ("http", "https", "expired"),
        _nginx,
        (("http", "http", {"expect": "hello-lab"}), ("https", "https", _TLS), ("tls", "https", _TLS)),
    ),
    Kind(
        "apache2",
        "apache2",
        ("http", "https"),
        _apache,
        (("http", "http", {"expect": "hello-lab"}), ("https", "https", _TLS), ("tls", "https", _TLS)),
    ),
    Kind(
        "exim4",
        "exim4",
        ("smtp", "smtps"),
        _exim,
        (
            ("smtp", "smtp", {}),
            ("smtp", "smtp", {"starttls": True, **_TLS}),
            ("submission", "smtp", _TLS),
            ("smtps", "smtps", _TLS),
        ),
        root=True,
    ),
    Kind(
        "dovecot",
        "dovecot",
        ("imap", "imaps", "pop3", "pop3s"),
        _dovecot,
        (
            ("imap", "imap", {}),
            ("imap", "imap", {"starttls": True, **_TLS, **_LOGIN}),
            ("imaps", "imaps", {**_TLS, **_LOGIN}),
            ("pop3", "pop3", {}),
            ("pop3", "pop3", {"starttls": True, **_TLS, **_LOGIN}),
            ("pop3s", "pop3s", {**_TLS, **_LOGIN}),
        ),
        root=True,
    ),
    Kind(
        "vsftpd",
        "vsftpd",
        ("ftp",),
        _vsftpd,
        (("ftp", "ftp", {}), ("ftp", "ftp", {"starttls": True, **_TLS})),
        root=True,
        full=(10, b"", "status: 421"),
    ),
    Kind("proftpd", "proftpd", ("ftp",), _proftpd, (("ftp", "ftp", {}),), root=True),
    Kind("openssh", "sshd", ("ssh",), _sshd, (("ssh", "ssh", {}),), root=True, full=(10, b"", "closed")),
    Kind(
        "bind9",
        "named",
        ("dns",),
        _named,
        (
            ("dns", "dns", {"query": "www.lab.test", "record": "A", "answers": ("127.0.0.1",)}),
            ("dns", "dns", {"query": "lab.test", "record": "MX", "answers": ("10 mx.lab.test.",)}),
            ("dns", "dns", {"query": "no.lab.test", "record": "A", "rcode": "NXDOMAIN"}),
            ("dns", "dns", {"query": "many.lab.test", "record": "TXT"}),
        ),
    ),
    Kind(
        "unbound",
        "unbound",
        ("dns",),
        _unbound,
        (("dns", "dns", {"query": "www.lab.test", "record": "A", "answers": ("127.0.0.1",)}),),
    ),
    Kind(
        "mariadb",
        "mariadbd",
        ("mysql",),
        _mariadb,
        (
            ("mysql", "mysql", {}),
            ("mysql", "mysql", _LOGIN),
            ("mysql", "mysql", {"starttls": True, **_TLS, **_LOGIN}),
        ),
        full=(12, b"", "too_many_connections"),
    ),
    Kind(
        "postgresql",
        "postgres",
        ("postgresql",),
        _postgresql,
        (("postgresql", "postgresql", {}), ("postgresql", "postgresql", {"starttls": True, **_TLS})),
        ready="ready to accept connections",
        full=(12, b"\0\0\0\x17\0\3\0\0user\0postgres\0\0", "too_many_connections"),
    ),
    Kind(
        "redis",
        "redis-server",
        ("redis", "rediss"),
        _redis,
        (
            ("redis", "redis", {}),
            ("redis", "redis", {"user": "default", "password_file": "PASSWORD"}),
            ("redis", "rediss", {"tls": True, **_TLS}),
        ),
        full=(8, b"PING\r\n", "status: ERR"),
    ),
)
