"""Asking over a raw socket, so that a test says exactly which bytes are sent, and sees exactly which came back."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
PATIENCE = 10.0
"""Seconds until a missing answer fails a test."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. Header names in lower case; ``closed``: the server ended the connection behind it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    closed: bool = False
    raw: bytes = field(default=b"", repr=False)

    def __getitem__(self, name: str) -> str:
        """The only value of a header; KeyError where there is none, AssertionError where there are several."""
        found = self.all(name)
        if not found:
            raise KeyError(name)
        assert len(found) == 1, f"{name} came {len(found)} times"
        return found[0]

    def get(self, name: str) -> str | None:
        return self[name] if self.all(name) else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]


class Line:
    """One TCP connection to ``address``, (host, port) or the path of a Unix socket."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.left = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, *, head: bool = False) -> Answer | None:
        """The next answer, or None where the server has closed instead. ``head``: it answers HEAD, so has no body."""
        while b"\r\n\r\n" not in self.left:
            if not self._more():
                return None
        raw_head, _, self.left = self.left.partition(b"\r\n\r\n")
        first, *lines = raw_head.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        length = 0 if head else int(dict(headers).get("content-length", "0"))
        while len(self.left) < length:
            if not self._more():
                break
        body, self.left = self.left[:length], self.left[length:]
        return Answer(int(first.split(" ")[1]), headers, body, raw=raw_head + b"\r\n\r\n" + body)

    def ended(self) -> bool:
        """Whether the server closes now, having sent nothing more."""
        return not self.left and not self._more()

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.left += data
        return bool(data)


def request(method: str = "GET", target: str = "/auth/traefik", headers: Headers = ()) -> bytes:
    """A request head as bytes; a Host is added unless one is named."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    if not any(name.lower() == "host" for name, _ in pairs):
        pairs.insert(0, ("Host", "127.0.0.1"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def ask(address: tuple[str, int] | str, data: bytes) -> Answer:
    """One request on a fresh connection."""
    with Line(address) as line:
        line.send(data)
        answer = line.answer(head=data.startswith(b"HEAD "))
    assert answer is not None, "the server closed without an answer"
    return answer


def question(
    host: str = "app.example.com",
    uri: str = "/",
    *,
    method: str = "GET",
    scheme: str = "https",
    cookie: str | None = None,
    key: str | None = None,
    accept: str | None = "text/html",
    client: str = "203.0.113.9",
    more: list[tuple[str, str]] | None = None,
) -> list[tuple[str, str]]:
    """The headers of a question as Traefik sends it."""
    pairs = [
        ("X-Forwarded-Method", method),
        ("X-Forwarded-Proto", scheme),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Uri", uri),
        ("X-Forwarded-For", client),
    ]
    if accept is not None:
        pairs.append(("Accept", accept))
    if cookie is not None:
        pairs.append(("Cookie", cookie))
    if key is not None:
        pairs.append(("X-Api-Key", key))
    return pairs + (more or [])
