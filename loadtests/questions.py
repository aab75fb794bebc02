"""What proxies ask, as bytes: a picture of an app, wanted by a browser, asked about in each dialect.

The headers are those that a Traefik with the files of ``config/proxies`` sends for such a request, in Go's order: the
visitor's own, then the proxy's. ``ask`` sends one message, to see what becomes of it; nothing is timed here.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

GATEWAY = "127.0.0.1:8000"
"""The Host of a question to every server, wherever it listens, so that all are sent the same bytes."""
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PICTURE = "/api/assets/6b1f2c9e-thumbnail?size=preview"

Pairs = list[tuple[str, str]]


class Asked(NamedTuple):
    """What is wanted, and what is shown for it."""

    host: str
    secret: str
    cookie: str = ""
    key: str = ""
    uri: str = PICTURE
    navigates: bool = False


def visit(asked: Asked) -> bytes:
    """As the browser asks the proxy."""
    return message(asked.uri, [("Host", asked.host), *visitor(asked)])


def visitor(asked: Asked) -> Pairs:
    """What a browser sends (with a key: a program that says nothing of pages)."""
    shown = [("Cookie", f"theme=dark; {asked.cookie}")] if asked.cookie else []
    shown += [("X-Api-Key", asked.key)] if asked.key else []
    page = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    kind = ("document", "navigate", "none") if asked.navigates else ("image", "no-cors", "same-origin")
    return [
        ("User-Agent", BROWSER),
        ("Accept", page if asked.navigates else "image/avif,image/webp,image/png,*/*;q=0.8"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Accept-Language", "en-US,en;q=0.5"),
        *shown,
        ("Referer", f"https://{asked.host}/photos"),
        ("Sec-Fetch-Dest", kind[0]),
        ("Sec-Fetch-Mode", kind[1]),
        ("Sec-Fetch-Site", kind[2]),
    ]


def forwarded(asked: Asked) -> Pairs:
    """What a proxy says of the original request."""
    return [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Host", asked.host),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Uri", asked.uri),
        ("X-Gateway-Secret", asked.secret),
    ]


def traefik(asked: Asked, *more: tuple[str, str]) -> bytes:
    """As Traefik asks; ``more`` headers come last."""
    return message("/auth/traefik", [("Host", GATEWAY), *visitor(asked), *forwarded(asked), *more])


def caddy(asked: Asked) -> bytes:
    """As Caddy asks: with the visitor's Host."""
    return message("/auth/caddy", [("Host", asked.host), *visitor(asked), *forwarded(asked), ("Via", "2.0 Caddy")])


def haproxy(asked: Asked) -> bytes:
    """As HAProxy asks."""
    return message("/auth/haproxy", [("Host", GATEWAY), *visitor(asked), *forwarded(asked)])


def nginx(asked: Asked) -> bytes:
    """As nginx asks: one URL, and the method."""
    said = [
        ("X-Original-URL", f"https://{asked.host}{asked.uri}"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Gateway-Secret", asked.secret),
    ]
    return message("/auth/nginx", [("Host", GATEWAY), *visitor(asked), *said])


def envoy(asked: Asked) -> bytes:
    """As Envoy asks: the original request behind a prefix."""
    said = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Gateway-Secret", asked.secret),
        ("Content-Length", "0"),
    ]
    return message(f"/auth/envoy{asked.uri}", [("Host", asked.host), *visitor(asked), *said])


def message(target: str, headers: Pairs) -> bytes:
    """A request without a body."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


CLOSE = ("Connection", "close")
"""Asks for a fresh connection each time."""
OTHERS = {"caddy": caddy, "nginx": nginx, "haproxy": haproxy, "envoy": envoy}
"""The dialects beside Traefik's."""


def ask(port: int, message: bytes) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers of one answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(message)
        received = b""
        while b"\r\n\r\n" not in received:
            received += (more := line.recv(65536))
            if not more:
                raise RuntimeError("closed without an answer")
    first, *lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return int(first.split(" ")[1]), [(name, value.strip()) for name, _, value in pairs]
