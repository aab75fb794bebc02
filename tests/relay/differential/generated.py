"""Ten thousand requests that somebody might send, and answers that some app might give: drawn, and the same every time.

All of them are legal, or odd in a way that servers take. What no server may take is in ``test_smuggling``.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from relay.differential.exchanges import Asked, Body, Exchange, Told

NUMBER = b"X-Number"
OURS = b"__Secure-gateway_session"

METHODS = (b"GET",) * 6 + (b"POST",) * 5 + (b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
ODD_METHODS = (b"PROPFIND", b"REPORT", b"SEARCH", b"PURGE", b"MKCOL", b"QUERY", b"TRACE", b"BREW")
TARGETS = (
    b"/",
    b"/public/a",
    b"/a/b/c.html",
    b"/a%20b",
    b"/%C3%A9t%C3%A9",
    b"/a%2Fb",
    b"/a%2fb//c",
    b"/a;b=c/d",
    b"/~user/$&'()*+,=:@-._!",
    b"/a[1]{2}|^`<>",
    b'/"quoted"',
    b"/a%25b",
    b"/a?",
    b"/a?b",
    b"/a?a=1&a=2&b=%20+%2B",
    b"/a??b=/../c",
    b'/a?x=[]{}|\\^`<>"',
    b"/a?%",
    b"//two//slashes/",
    b"/a/b;/c",
    b"/...",
    b"/.hidden/..x",
    b"/a?" + b"q=0123456789&" * 150,
)
ODD_TARGETS = (
    b"/a/../b",
    b"/a/./b",
    b"/a/%2e%2e/b",
    b"/a%00b",
    b"/a%5Cb",
    b"/a\\b",
    b"/a%zz",
    b"/a#b",
    b"/\xc3\xa9",
    b"/%ff",
    b"/a/..;/b",
)
HEADERS = (
    b"Accept: */*",
    b"Accept: text/html, application/json;q=0.9",
    b"ACCEPT-LANGUAGE: de, en;q=0.5",
    b"accept-encoding: gzip, br",
    b'User-Agent: generated/1.0 (\xe9; "quoted")',
    b"Referer: http://app.example.com/a?b",
    b"Range: bytes=0-99,200-",
    b'If-None-Match: "abc", W/"d"',
    b"If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT",
    b"Authorization: Bearer an-app's-own",
    b"X-Api-Key: an-app's-own",
    b'Content-Type: application/x-www-form-urlencoded; charset="utf-8"',
    b"Content-Encoding: gzip",
    b"X-A: 1",
    b"X-A: 2",
    b"x-a:3",
    b"X-A:   4   ",
    b"X-Tab:\ta\tb\t",
    b"X-Empty:",
    b"X-Spaces:    ",
    b"X-Long: " + b"long " * 300,
    b"X-Bytes: \xff\x80\xc3\xa9",
    b"X-Colons: a:b::c:",
    b"X-Requested-With: XMLHttpRequest",
    b"Sec-Fetch-Mode: cors",
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    b"Origin: http://app.example.com",
    b"Max-Forwards: 7",
    b"Cache-Control: no-cache",
    b"Pragma: no-cache",
    b"Priority: u=1, i",
    b"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"X: y",
)
ODD_NAMES = (
    b"X_Under_Score: 1",
    b"X!#$%&'*+.^`|~: 1",
    b"x.dotted: 1",
    b"1-2-3: 1",
    b"-: 1",
    b"_: 1",
    b"X_Api_Key: 1",
    b"Content_Length: 5",
    b"Transfer_Encoding: chunked",
    b"Proxy: http://127.0.0.1:1",
)
HOP_BY_HOP = (
    b"Keep-Alive: timeout=5",
    b"Proxy-Connection: keep-alive",
    b"Proxy-Authorization: Basic YTpi",
    b"Proxy-Authenticate: Basic",
    b"TE: trailers",
    b"TE: gzip, trailers;q=0.5",
    b"TE: gzip",
    b"Trailer: X-T",
    b"Connection: keep-alive",
    b"Connection: Keep-Alive, X-Nominated",
    b"Connection: x-nominated",
    b"Connection: X-A, X-Nominated,, ,",
    b"Connection:",
    b"X-Nominated: 1",
    b'Alt-Svc: h3=":443"',
    b"Via: 1.0 another",
)
FORWARDED = (
    b"X-Forwarded-For: 192.0.2.1, 198.51.100.7",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: evil.example.com",
    b"X-Forwarded-Port: 444",
    b"X-Forwarded-Uri: /evil",
    b"X-Forwarded-Method: PUT",
    b"X-Forwarded-Prefix: /evil",
    b"x_forwarded_for: 192.0.2.1",
    b"X-Forwarded-User: evil",
    b"Forwarded: for=192.0.2.1;proto=https",
    b"X-Real-Ip: 192.0.2.1",
    b"X-Original-Url: /evil",
    b"X-Original-Method: PUT",
    b"X-Rewrite-Url: /evil",
    b"X-Http-Method-Override: DELETE",
)
IDENTITY = (
    b"Remote-User: evil",
    b"remote_user: evil",
    b"REMOTE.USER: evil",
    b"X-Remote-User: evil",
    b"Remote-Groups: admins",
    b"Remote-Name: evil",
    b"Remote_Email: evil",
    b"X-Gateway-Secret: evil",
)
COOKIES = (
    (b"Cookie: %b",),
    (b"Cookie: %b; a=1",),
    (b"Cookie: a=1; %b",),
    (b'cookie: a=1; %b; b="2"; a=3',),
    (b"Cookie: a=1;b=2; %b;c=3",),
    (b"Cookie: a=1; b; =; ;; %b; c= d ",),
    (b"Cookie: a=1", b"Cookie: %b"),
    (b"Cookie: %b", b"Cookie: a=1; \xe9=\xff"),
    (b"Cookie: x__Secure-gateway_session=1; %b; __Secure-gateway_sessionx=2",),
)
LAST = (b"Connection: close", b"Connection: close, X-A", b"Expect: 100-continue", b"Connection: X-A, Close")
UPGRADES = (
    (b"Connection: Upgrade", b"Upgrade: foo"),
    (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMA"),
    (b"Upgrade: foo",),
)
STATUSES = (
    *(200,) * 12,
    *(201, 202, 204, 205, 206, 301, 302, 303, 304, 307, 400, 401, 403, 404, 409, 418, 429, 451),
    *(500, 502, 503, 504, 299, 599),
)
REASONS = (b"OK",) * 6 + (b"", b"Not What You Think", b"Sehr gut \xfc", b"a  b\tc")
ANSWERS = (
    b"Content-Type: text/html; charset=utf-8",
    b"Content-Encoding: gzip",
    b'ETag: "abc"',
    b"Last-Modified: Sat, 29 Oct 1994 19:43:31 GMT",
    b"Location: http://127.0.0.1:8080/x",
    b"Location: /relative?a=b",
    b'WWW-Authenticate: Basic realm="the app\'s own"',
    b"Set-Cookie: a=1; Path=/; HttpOnly",
    b"Set-Cookie: b=2; Domain=example.com; Expires=Sat, 29 Oct 2044 19:43:31 GMT",
    b'set-cookie: c="3"; SameSite=Lax',
    b"Set-Cookie: a=again",
    b"Set-Cookie: __Secure-gateway_session=evil; Path=/",
    b"Set-Cookie: __Secure-gateway_session_x=an app's own",
    b"Cache-Control: no-store",
    b"Vary: Accept",
    b"Vary: Cookie",
    b"Date: Sat, 29 Oct 1994 19:43:31 GMT",
    b"Server: the-app/1.0",
    b"X-B: 1",
    b"X-B: 2",
    b"x-b:3",
    b"X-Empty:",
    b"X-Bytes: \xff\x80",
    b"X_Odd.name!: 1",
    b"X-Long: " + b"long " * 1000,
    b"Content-Range: bytes 0-99/200",
    b"Accept-Ranges: bytes",
    b"Content-Security-Policy: default-src 'self'",
    b"Strict-Transport-Security: max-age=1",
    b"Access-Control-Allow-Origin: *",
    b"X-Accel-Buffering: no",
    b"Remote-User: what an app says",
    b"X-Request-Id: what an app says",
    b"Refresh: 5; url=/x",
    b"Link: </a.css>; rel=preload",
)
ANSWERS_HOP_BY_HOP = (
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: X-B, close",
    b"Connection: X-B",
    b"Keep-Alive: timeout=5, max=100",
    b"Proxy-Authenticate: Basic",
    b"Proxy-Connection: close",
    b"Trailer: X-T",
    b"Upgrade: h2c",
    b'Alt-Svc: h3=":443"',
    b"Via: 1.1 the-app",
    b"TE: trailers",
)
STUFF = (b"a", b"\r\n", b"0\r\n\r\n", b"\x00\xff", b"GET / HTTP/1.1\r\n\r\n")


class Signed(NamedTuple):
    """Whose requests these are: a host of an app, and the cookie that opens it."""

    host: bytes
    cookie: bytes


def exchanges(count: int, signed: Signed, seed: int) -> list[Exchange]:
    """The same ``count`` for the same seed."""
    draw = Random(seed)  # noqa: S311  # drawn to be the same every time, not to be unknown
    return [_exchange(draw, number, signed) for number in range(count)]


def _exchange(draw: Random, number: int, signed: Signed) -> Exchange:
    odd = draw.random() < 0.06
    method = draw.choice(ODD_METHODS if odd and draw.random() < 0.5 else METHODS)
    target = draw.choice(ODD_TARGETS if odd and draw.random() < 0.5 else TARGETS)
    version = b"1.0" if draw.random() < 0.05 else b"1.1"
    body = _body(draw, chunks=version == b"1.1") if method not in (b"GET", b"HEAD", b"TRACE") else Body()
    lines, last = _lines(draw, number, signed, bodiless=body.framing == "none")
    asked = Asked(method, target, version, lines, body)
    return Exchange(number, asked, _told(draw), odd or last or version == b"1.0")


def _lines(draw: Random, number: int, signed: Signed, *, bodiless: bool) -> tuple[tuple[bytes, ...], bool]:
    lines = [NUMBER + b": %d" % number, *draw.sample(HEADERS, draw.randint(0, 9))]
    lines += [line % signed.cookie if b"%b" in line else line for line in draw.choice(COOKIES)]
    for pool, chance in ((ODD_NAMES, 0.15), (HOP_BY_HOP, 0.3), (FORWARDED, 0.25), (IDENTITY, 0.2)):
        if draw.random() < chance:
            lines += draw.sample(pool, draw.randint(1, 3))
    last: tuple[bytes, ...] = ()
    if draw.random() < 0.08:
        last = draw.choice(UPGRADES) if bodiless and draw.random() < 0.3 else (draw.choice(LAST),)
    lines += last
    draw.shuffle(lines)
    lines.insert(draw.choice((0, 0, 0, len(lines))), draw.choice((b"Host: %b", b"host:%b", b"HOST: %b ")) % signed.host)
    return tuple(lines), bool(last)


def _body(draw: Random, *, chunks: bool) -> Body:
    framing = draw.choice(("none", "length", "length", "chunks", "chunks") if chunks else ("none", "length"))
    if framing == "none":
        return Body()
    trailers = (b"X-T: 1", b"Remote-User: evil", b"X-Number: 0")[: draw.choice((0, 0, 0, 1, 3))]
    return Body(framing, _parts(draw), trailers, draw.choice((b"%x", b"%X", b"%04x")))


def _parts(draw: Random) -> tuple[bytes, ...]:
    sizes = [draw.choice((1, 2, 3, 10, 15, 16, 17, 100, 255, 256, 1000)) for _ in range(draw.randint(0, 5))]
    if draw.random() < 0.02:
        sizes.append(draw.choice((16384, 65536, 100_000)))
    return tuple((draw.choice(STUFF) * size)[:size] for size in sizes)


def _told(draw: Random) -> Told:
    status, reason = draw.choice(STATUSES), draw.choice(REASONS)
    version = b"1.0" if draw.random() < 0.05 else b"1.1"
    body = Body() if status == 204 else _answered(draw, old=version == b"1.0")
    lines = draw.sample(ANSWERS, draw.randint(0, 8))
    if draw.random() < 0.3:
        lines += draw.sample(ANSWERS_HOP_BY_HOP, draw.randint(1, 2))
    draw.shuffle(lines)
    cuts = [draw.randint(1, 3000) for _ in range(draw.choice((0, 0, 0, 1, 2, 5)))]
    return Told(version, status, reason, tuple(lines), body, tuple(cuts))


def _answered(draw: Random, *, old: bool) -> Body:
    framing = draw.choice(("length", "close") if old else ("length", "length", "length", "chunks", "chunks", "close"))
    trailers = (b"X-T: 1", b"X-U: 2")[: draw.choice((0, 0, 0, 1, 2))] if framing == "chunks" else ()
    return Body(framing, _parts(draw), trailers, draw.choice((b"%x", b"%X", b"%03x")))
