"""A real nginx on one address: http and https, which may answer 500 or be stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tests.integration.lab_daemon import wait_for
from tests.integration.lab_listeners import TimeRange, now_ms
from tests.integration.network_lab import run_program

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import trustme

    from tests.integration.network_lab import NetworkLab


class Nginx:
    """One nginx where the servers are; its certificate is made out to its address by ``authority``."""

    def __init__(self, net: NetworkLab, address: str, folder: Path, authority: trustme.CA) -> None:
        self.address = address
        self._folder = folder
        self._pid = folder / "nginx.pid"
        self._command = net.server_command("nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "errors"))
        folder.mkdir()
        certificate = authority.issue_cert(address)
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "key.pem")
        (folder / "index.html").write_text("hello\n")
        (folder / "nginx.conf").write_text(_CONFIG.format(folder=folder, address=address))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid.exists():
            self.stop()

    def start(self) -> TimeRange:
        """Start it; when this returns, it answers."""
        before = now_ms()
        run_program(*self._command)
        wait_for("nginx has started", self._pid.exists)
        return TimeRange(before, now_ms())

    def stop(self) -> TimeRange:
        """Stop it; when this returns, its ports refuse."""
        before = now_ms()
        run_program(*self._command, "-s", "stop")
        wait_for("nginx has stopped", lambda: not self._pid.exists())
        return TimeRange(before, now_ms())

    def answer_500(self) -> TimeRange:
        """Answer 500 from now on."""
        before = now_ms()
        (self._folder / "broken").touch()
        return TimeRange(before, now_ms())

    def answer_200(self) -> TimeRange:
        """Answer 200 again."""
        before = now_ms()
        (self._folder / "broken").unlink()
        return TimeRange(before, now_ms())


_CONFIG = """
worker_processes 1;
user root;
pid {folder}/nginx.pid;
error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen {address}:80; listen {address}:443 ssl;
    ssl_certificate {folder}/key.pem; ssl_certificate_key {folder}/key.pem;
    root {folder};
    if (-f {folder}/broken) {{ return 500; }}
  }}
}}
"""
