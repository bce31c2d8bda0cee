"""Web servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.lab_servers import TLS, RefusalSetup, ServerKind, program_path, write_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.lab_servers import ServerFiles


def _nginx(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    temporary = " ".join(
        f"{name}_temp_path {{D}}/nginx-{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = write_config(
        files,
        "nginx.conf",
        f"""worker_processes 1; pid {{D}}/nginx.pid; daemon off; error_log {{D}}/nginx.err; user root;
events {{ worker_connections 64; }}
http {{ access_log off; {temporary}
 server {{ listen 127.0.0.1:{ports["http"]}; root {{D}}/www; }}
 server {{ listen 127.0.0.1:{ports["https"]} ssl; root {{D}}/www;
  ssl_certificate {{CERT}}; ssl_certificate_key {{KEY}}; }}
 server {{ listen 127.0.0.1:{ports["closed"]}; deny all; }} }}
""",
    )
    return [program_path("nginx"), "-c", file, "-e", str(files.folder / "nginx.err")]


def _apache(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "ssl", "dir")
    )
    file = write_config(
        files,
        "apache.conf",
        f"""{modules}ServerName www.lab.test
User nobody
Group nogroup
PidFile {{D}}/apache.pid
ErrorLog {{D}}/apache.err
Listen 127.0.0.1:{ports["http"]}
Listen 127.0.0.1:{ports["https"]}
DocumentRoot {{D}}/www
DirectoryIndex index.html
Listen 127.0.0.1:{ports["closed"]}
<VirtualHost 127.0.0.1:{ports["closed"]}>
<Location />
Require all denied
</Location>
</VirtualHost>
StartServers 1
<VirtualHost 127.0.0.1:{ports["https"]}>
SSLEngine on
SSLCertificateFile {{CERT}}
SSLCertificateKeyFile {{KEY}}
</VirtualHost>
""",
    )
    return [program_path("apache2"), "-d", str(files.folder), "-f", file, "-DFOREGROUND"]


_CHECKS = (("http", "http", {"expect": "hello-lab"}), ("https", "https", TLS), ("tls", "https", TLS))
_REFUSAL = RefusalSetup(check=("http", "closed", {}))

WEB = (
    ServerKind("nginx", "nginx", ("http", "https", "closed"), _nginx, _CHECKS, _REFUSAL),
    ServerKind("apache2", "apache2", ("http", "https", "closed"), _apache, _CHECKS, _REFUSAL),
)
