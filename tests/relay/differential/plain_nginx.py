"""nginx as a plain reverse proxy that changes as little as it can be told to: what the relay is compared with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxies.nginx import BINARY, missing
from proxies.stand import running

CONFIG = """
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    server_tokens off;
    default_type "";
    types {{ }}
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000;
    underscores_in_headers on;
    ignore_invalid_headers off;
    merge_slashes off;
    large_client_header_buffers 4 32k;
    client_max_body_size 0;
    upstream app {{
        server 127.0.0.1:{app};
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_buffering on;
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
            proxy_busy_buffers_size 128k;
            proxy_redirect off;
            proxy_next_upstream off;
            proxy_pass_header Server;
            proxy_pass_header Date;
            proxy_pass_header X-Accel-Buffering;
            proxy_ignore_headers X-Accel-Buffering X-Accel-Expires X-Accel-Redirect Cache-Control Vary Set-Cookie;
        }}
    }}
}}
"""


@contextmanager
def plain_nginx(directory: Path, port: int, app: int) -> Iterator[None]:
    """It listens on ``port`` and carries everything to ``app``, both on loopback; ``directory`` is its own."""
    assert BINARY is not None
    directory.chmod(0o755)
    (directory / "nginx.conf").write_text(CONFIG.format(port=port, app=app))
    directives = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    command = [BINARY, "-p", str(directory), "-c", "nginx.conf", "-e", "stderr", "-g", directives]
    with running(command, port):
        yield


__all__ = ["missing", "plain_nginx"]
