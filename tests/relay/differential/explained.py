"""Every difference between the relay and nginx that is meant to be, with its reason. Whatever is not in here is a fault.

A row holds for one header or one word in brackets, under a condition that says as exactly as it can how the relay's way
follows from what was sent. A row that explains nothing any more is a fault as well (the test says so).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from relay.differential.comparing import Difference
from relay.differential.exchanges import Exchange
from relay.differential.generated import OURS

Condition = Callable[[Difference, Exchange], bool]


class Row(NamedTuple):
    """``what`` matches the whole of a difference's own."""

    side: str
    what: str
    why: str
    only: Condition = lambda difference, exchange: True


def said(pattern: bytes) -> Condition:
    """The relay has one such header, which says this, whatever the client said."""

    def check(difference: Difference, exchange: Exchange) -> bool:
        relay: Any = difference.relay
        return relay is not None and len(relay) == 1 and re.fullmatch(pattern, relay[0][1]) is not None

    return check


def dropped(difference: Difference, exchange: Exchange) -> bool:
    """The relay has no such header."""
    return difference.relay is None


def nominated(difference: Difference, exchange: Exchange) -> bool:
    """A Connection header names it."""
    options = b",".join(exchange.asked.says(b"connection")).lower().split(b",")
    return difference.relay is None and difference.what.encode("latin-1") in [option.strip() for option in options]


def nominated_by_app(difference: Difference, exchange: Exchange) -> bool:
    """The app's does."""
    options = (
        b",".join(line[11:] for line in exchange.told.lines if line.startswith(b"Connection:")).lower().split(b",")
    )
    return difference.relay is None and difference.what.encode("latin-1") in [option.strip() for option in options]


def spelled(difference: Difference, exchange: Exchange) -> bool:
    """The values are the same."""
    return [value for _, value in _lines(difference.relay)] == [value for _, value in _lines(difference.nginx)]


def trimmed(difference: Difference, exchange: Exchange) -> bool:
    """The values are the same, but for white space around them."""
    return _lines(difference.relay) == [(name, value.strip(b" \t")) for name, value in _lines(difference.nginx)]


def without_ours(difference: Difference, exchange: Exchange) -> bool:
    """The other cookies are all there, in their order."""
    return _cookies(difference.relay) == _cookies(difference.nginx, OURS)


def set_without_ours(difference: Difference, exchange: Exchange) -> bool:
    """All lines are there but those that set a cookie of ours."""
    kept = [line for line in _lines(difference.nginx) if line[1].partition(b"=")[0] != OURS]
    return _lines(difference.relay) == kept


def as_it_came(difference: Difference, exchange: Exchange) -> bool:
    """The request came in chunks, and goes on in chunks."""
    chunks = {"(framing)": "chunks", "transfer-encoding": [(b"Transfer-Encoding", b"chunked")], "content-length": None}
    return exchange.asked.body.framing == "chunks" and difference.relay == chunks[difference.what]


def last(difference: Difference, exchange: Exchange) -> bool:
    """The relay ends the connection behind what is the client's last request on it anyway."""
    return difference.relay is True and exchange.last


def wanted(difference: Difference, exchange: Exchange) -> bool:
    """The client takes trailers, and these are the app's."""
    lines = tuple(tuple(line.split(b": ")) for line in exchange.told.body.trailers)
    return b"trailers" in b"".join(exchange.asked.says(b"te")) and difference.relay == lines


def moved(*names: str) -> Condition:
    """The order is the same but for these."""

    def check(difference: Difference, exchange: Exchange) -> bool:
        relay, nginx = ([name for name in _names(way) if name not in names] for way in difference[2:])
        return relay == nginx

    return check


def of(*targets: bytes, method: bytes = b"") -> Condition:
    """A request for one of these, or by this method, was refused."""

    def check(difference: Difference, exchange: Exchange) -> bool:
        refused = difference.relay in ("0 messages", b"HTTP/1.1 400 Bad Request")
        return refused and (exchange.asked.target in targets or exchange.asked.method == method)

    return check


def traced(difference: Difference, exchange: Exchange) -> bool:
    """nginx refused it, and closed."""
    refused = difference.nginx in ("0 messages", b"HTTP/1.1 405 Not Allowed", True)
    return exchange.asked.method == b"TRACE" and refused


CLOSE = (b"Connection", b"close")
IDENTITY = r"(x[-_.])?remote[-_.](user|groups|name|email)"
FORWARDED = r"x[-_.]forwarded[-_.].*|x-original-.*|x-rewrite-.*|x-real-ip|x-gateway-secret"
HOP_BY_HOP = r"proxy-connection|proxy-authorization|proxy-authenticate|trailer|te|alt-svc|upgrade|http2-settings"

ROWS = (
    Row("app", "remote-user", "the identity is ours to say", said(rb"alice")),
    Row("app", "remote-groups", "the identity is ours to say", said(rb"users")),
    Row("app", "remote-(name|email)", "the identity is ours to say, and empty where it is not known", said(rb"")),
    Row("app", IDENTITY, "nobody else says an identity, in any spelling", dropped),
    Row("app", "x-forwarded-for", "where it came from is ours to say", said(rb"127\.0\.0\.1")),
    Row("app", "x-forwarded-host", "where it came from is ours to say", said(rb"app\.example\.com")),
    Row("app", "x-forwarded-proto", "where it came from is ours to say", said(rb"http")),
    Row(
        "app",
        "forwarded",
        "where it came from is ours to say",
        said(rb"for=127\.0\.0\.1;host=app\.example\.com;proto=http"),
    ),
    Row("app", FORWARDED, "nobody else says where it came from", dropped),
    Row(
        "app",
        "via",
        "every proxy adds itself (RFC 9110 section 7.6.3)",
        said(rb"(1\.0 another, )?1\.1 gateway-[0-9a-f]{8}"),
    ),
    Row("app", "te|connection", "the relay takes trailers where the client does", said(rb"TE|trailers")),
    Row("app", HOP_BY_HOP, "it is about the connection (RFC 9110 section 7.6.1); nginx passes some of it on", dropped),
    Row("app", ".*", "the client's Connection names it (RFC 9110 section 7.6.1)", nominated),
    Row("app", "(content|transfer)_(length|encoding)", "some apps would take it for the other spelling", dropped),
    Row("app", "proxy", "CGI would take it for a setting (CVE-2016-5385); nginx leaves that to its users", dropped),
    Row("app", "cookie", "no app gets our cookie", without_ours),
    Row("app", "host", "nginx writes the name anew", spelled),
    Row(
        "app", "x-tab", "white space around a value is no part of it (RFC 9110 section 5.5); nginx keeps tabs", trimmed
    ),
    Row("app", r"\(framing\)|transfer-encoding|content-length", "nginx knows the length when all has come", as_it_came),
    Row("app", "expect", "the app is asked whether it wants the body", said(rb"100-continue")),
    Row(
        "app",
        r"\(order\)",
        "nginx begins with what it writes itself",
        moved("host", "content-length", "transfer-encoding"),
    ),
    Row("app|client", r"\(message\)", "dot segments", of(b"/a/../b", b"/a/./b", b"/a/%2e%2e/b", b"/a/..;/b")),
    Row("app|client", r"\(message\)", "a backslash is a slash to some apps", of(b"/a%5Cb", b"/a\\b")),
    Row("app|client", r"\(message\)", "no fragment is ever sent (RFC 9112 section 3.2.1)", of(b"/a#b")),
    Row("app|client", r"\(message\)", "no target has such bytes (RFC 3986 section 2)", of(b"/\xc3\xa9")),
    Row("app|client", r"\(message\)", "escapes that are not UTF-8 have many readings", of(b"/%ff")),
    Row("app|client", r"\(message\)", "llhttp knows no such method", of(method=b"BREW")),
    Row("app|client", r"\(message\)|\(ended\)", "nginx answers no TRACE", traced),
    Row("client", "connection", "nginx says what HTTP/1.1 means anyway", lambda it, _: it.relay in (None, [CLOSE])),
    Row("client", r"\(ended\)", "the relay does not go on behind HTTP/1.0, an Expect or an Upgrade", last),
    Row(
        "client",
        r"\(ended\)",
        "both refuse it; nginx then closes",
        lambda _, it: it.asked.target in (b"/a%zz", b"/a%00b"),
    ),
    Row(
        "client",
        r"\(interim\)",
        "nginx says 100 itself; the relay leaves that to the app",
        lambda it, _: it.relay == [],
    ),
    Row("client", "set-cookie", "no app sets our cookie", set_without_ours),
    Row(
        "client", HOP_BY_HOP, "it is about the connection (RFC 9110 section 7.6.1); nginx passes some of it on", dropped
    ),
    Row("client", ".*", "the app's Connection names it (RFC 9110 section 7.6.1)", nominated_by_app),
    Row("client", r"\(trailers\)", "the relay gives trailers to who takes them", wanted),
    Row(
        "client",
        r"\(order\)",
        "nginx begins with what it writes itself",
        moved("content-type", "content-length", "transfer-encoding", "connection", "server", "date", "last-modified"),
    ),
)


def explanation(difference: Difference, exchange: Exchange) -> Row | None:
    """The row that explains it."""
    for row in ROWS:
        fits = re.fullmatch(row.side, difference.side) and re.fullmatch(row.what, difference.what)
        if fits and row.only(difference, exchange):
            return row
    return None


def _lines(lines: Any) -> list[tuple[bytes, bytes]]:
    return lines or []


def _names(names: Any) -> list[str]:
    found: list[str] = names
    return found


def _cookies(lines: object, name: bytes | None = None) -> list[list[bytes]]:
    """The pairs of each line that has any, but those of this name."""
    split = [[pair.strip(b" \t") for pair in value.split(b";")] for _, value in _lines(lines)]
    kept = [[pair for pair in pairs if pair and pair.partition(b"=")[0] != name] for pairs in split]
    return [pairs for pairs in kept if pairs]
