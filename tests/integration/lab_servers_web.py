"""Web servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.lab_servers import TLS, Kind, Refusal, path, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.lab_servers import Grounds


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
 server {{ listen 127.0.0.1:{ports["http"]}; root {{D}}/www; }}
 server {{ listen 127.0.0.1:{ports["https"]} ssl; root {{D}}/www;
  ssl_certificate {{CERT}}; ssl_certificate_key {{KEY}}; }}
 server {{ listen 127.0.0.1:{ports["closed"]}; deny all; }} }}
""",
    )
    return [path("nginx"), "-c", file, "-e", str(grounds.folder / "nginx.err")]


def _apache(grounds: Grounds, ports: Mapping[str, int]) -> list[str]:
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "ssl", "dir")
    )
    file = write(
        grounds,
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
    return [path("apache2"), "-d", str(grounds.folder), "-f", file, "-DFOREGROUND"]


_CHECKS = (("http", "http", {"expect": "hello-lab"}), ("https", "https", TLS), ("tls", "https", TLS))
_REFUSES = Refusal(check=("http", "closed", {}))

WEB = (
    Kind("nginx", "nginx", ("http", "https", "closed"), _nginx, _CHECKS, _REFUSES),
    Kind("apache2", "apache2", ("http", "https", "closed"), _apache, _CHECKS, _REFUSES),
)
