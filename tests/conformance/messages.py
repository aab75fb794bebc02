"""What rows about messages say to each door, and what that door says to a question that it can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from asking import question
from conformance.gateways import Gateway
from conformance.vectors import Row, fill, rows
from endpoints.person import FORM, HOST, ORIGIN, Person

Pairs = Sequence[tuple[str, str]]
SIZES = {
    "12k": "a" * 12_000,
    "70k": "a" * 70_000,
    "200k": "a" * 200_000,
    "1m": "a" * 1_000_000,
    "70k headers": "X-A: aaaaaaaaaa\r\n" * 5000,
    "100 headers": "X-A: a\r\n" * 100,
}
REFUSED = (400, 408, 431)
"""What only messages are answered that never came to a door."""


class Door(NamedTuple):
    """One door: its path, the Host that it is asked by, and its answers by name."""

    path: str
    host: str = "127.0.0.1"
    known: int = 200
    unknown: int = 401
    posted: int = 401


DOORS = {
    "traefik": Door("/auth/traefik"),
    "caddy": Door("/auth/caddy"),
    "haproxy": Door("/auth/haproxy"),
    "nginx": Door("/auth/nginx"),
    "envoy": Door("/auth/envoy/", "app.example.com"),
    "portal": Door("/login", HOST, known=303, unknown=200, posted=403),
}


def cases() -> Iterator[tuple[str, Row, str]]:
    """Every row at every door: its name, the row, and the name of the door."""
    for row in _rows():
        for door in row.get("doors", DOORS):
            yield f"{row['id']}-{door}", row, door


def _rows() -> Iterator[Row]:
    for row in rows("messages.yaml"):
        for number, (why, each) in enumerate(row.pop("each", ()), 1):
            segments = [segment.replace("{each}", each) for segment in row["segments"]]
            yield {**row, "id": f"{row['id']}-{number}", "why": why, "segments": segments}
        if "{each}" not in "".join(row["segments"]):
            yield row


def words(gateway: Gateway, name: str) -> dict[str, str]:
    """What rows say between braces, at one door."""
    door, cookie = DOORS[name], _cookie(gateway, name)
    known, unknown = asked(name, cookie), asked(name, None)
    length = len(f"GET {door.path} HTTP/1.1\r\n{head(known, door.host)}\r\n".encode("latin-1"))
    return {
        "path": door.path,
        "question": head(known, door.host),
        "stranger": head(unknown, door.host),
        "nobody": head(unknown),
        "form": head([("Content-Type", FORM), ("Origin", ORIGIN)], door.host),
        "cookie": cookie,
        "length": str(length),
        **SIZES,
    }


def filled(gateway: Gateway, name: str, segments: list[str]) -> list[bytes]:
    """The bytes of a row's segments."""
    said = words(gateway, name)
    return [fill(segment, said).encode("latin-1") for segment in segments]


def asked(name: str, cookie: str | None, more: Pairs = ()) -> list[tuple[str, str]]:
    """The headers of a question at a door, from a program that follows no redirects; no Host."""
    pairs: list[tuple[str, str]] = {
        "nginx": [("X-Original-URL", "https://app.example.com/"), ("X-Original-Method", "GET")],
        "envoy": [("X-Forwarded-Proto", "https")],
        "portal": [("Accept", "text/html")],
    }.get(name) or question(accept=None)
    return [*pairs, *([("Cookie", cookie)] if cookie else []), *more]


def head(pairs: Pairs, host: str | None = None) -> str:
    hosts = [] if host is None else [("Host", host)]
    return "".join(f"{name}: {value}\r\n" for name, value in [*hosts, *pairs])


def _cookie(gateway: Gateway, name: str) -> str:
    """The Cookie header by which a door knows alice."""
    if name != "portal":
        return fill("{cookie}={alice}", gateway.words)
    if "signed in" not in gateway.words:
        person: Any = Person(gateway.served)
        assert person.sign_in("alice").status == 200
        gateway.words["signed in"] = person._cookie()
    return gateway.words["signed in"]
