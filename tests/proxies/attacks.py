"""The table of attacks: bytes that a stranger, or bob, sends to a proxy. Forged values say "evil"."""

from __future__ import annotations

from typing import NamedTuple

HOST = "demo.gateway.localhost"
EVIL = f"GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\nRemote-User: evil\r\n\r\n"
OPENS = "Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13"
LENGTH = f"Content-Length: {len(EVIL)}"
CHUNKED = "Transfer-Encoding: chunked"
CHUNK = f"{len(EVIL):x}\r\n{EVIL}\r\n0\r\n\r\n"
"""The smuggled request as one chunk."""
SPLIT = f"0\r\n\r\n{EVIL}"
"""An end of chunks, and the smuggled request behind it."""


class Attack(NamedTuple):
    """``head`` is sent as it stands, with an empty line and ``rest`` behind it; ``bob``: with his cookie."""

    name: str
    head: str
    rest: str = ""
    bob: bool = False
    requests: int = 1

    def data(self, cookie: str) -> bytes:
        mine = f"\r\nCookie: {cookie}" if self.bob else ""
        return f"{self.head}{mine}\r\n\r\n{self.rest}".encode("latin-1")


def get(target: str, *headers: str, host: str = HOST, method: str = "GET", version: str = "HTTP/1.1") -> str:
    """A request line, a Host and these headers."""
    return "\r\n".join([f"{method} {target} {version}", f"Host: {host}", *headers])


def post(*headers: str) -> str:
    """A POST to the public part."""
    return get("/public/", *headers, method="POST")


NAMES = (
    "Remote-User: evil",
    "remote_user: evil",
    "REMOTE.USER: evil",
    "Remote~User: evil",
    "Remote+User: evil",
    "Remote!User: evil",
    "Remote#User: evil",
    "Remote$User: evil",
    "Remote%User: evil",
    "Remote&User: evil",
    "Remote'User: evil",
    "Remote*User: evil",
    "Remote^User: evil",
    "Remote`User: evil",
    "Remote|User: evil",
    "Remote_User: evil\r\nRemote-User: evil\r\nRemote-User: evil",
    "Remote-User : evil",
    "Remote-User\t: evil",
    " Remote-User: evil",
    "X-First: 1\r\n Remote-User: evil",
    "X-First: 1\nRemote-User: evil",
    "X-First: 1\rRemote-User: evil",
    "X-First: 1\x00\r\nRemote-User: evil",
    "Remote\x00-User: evil",
    "Remote\xadUser: evil",
    "Remote User: evil",
    "Remote-User:\r\n evil",
    "Remote-User:evil\r\nConnection: Remote-User",
    "Connection: close, X_Y\r\nRemote-Groups: evil\r\nRemote-Name: evil\r\nRemote-Email: evil",
    "X-Forwarded-User: evil\r\nX-Forwarded-Groups: evil\r\nX-Forwarded-Email: evil",
    "X-Forwarded-For: evil\r\nX-Real-Ip: evil\r\nForwarded: for=evil\r\nX-Forwarded-Prefix: /evil",
    "X-Forwarded-Host: evil\r\nX-Forwarded-Proto: evil\r\nX-Forwarded-Uri: /evil\r\nX-Forwarded-Method: EVIL",
    "X_Forwarded_For: evil\r\nX.Forwarded.Host: evil\r\nX-Scheme: evil\r\nX-Forwarded-Scheme: evil",
    "X-Original-Url: /evil\r\nX-Original-Uri: /evil\r\nX-Original-Host: evil\r\nX-Rewrite-Url: /evil",
    "X-Gateway-Secret: evil",
    "X_Gateway_Secret: evil",
)
"""Headers that forge an identity, or an origin of the request."""

CLAIMS = (
    "X-Forwarded-Uri: /public/",
    "X-Forwarded-Uri: /public/\r\nX-Forwarded-Uri: /public/",
    "X_Forwarded_Uri: /public/",
    "X-Original-Url: http://demo.gateway.localhost/public/\r\nX-Original-Method: GET",
    "X-Original-Uri: /public/\r\nX-Rewrite-Url: /public/",
    "X-Envoy-Original-Path: /public/\r\nX-Envoy-Original-Host: demo.gateway.localhost",
    "X-Forwarded-Prefix: /public",
    "X-Forwarded-Host: auth.gateway.localhost",
    "Connection: X-Forwarded-Uri, X-Forwarded-Host, X-Forwarded-Method, X-Forwarded-Proto, X-Forwarded-For",
    "Connection: X-Forwarded-Uri\r\nX-Forwarded-Uri: /public/",
    "Connection: X-Original-Url, X-Original-Method",
    "Connection: X-Gateway-Secret, Host, Cookie, Accept",
    "Remote-User: alice\r\nRemote-Groups: admins",
    "X-Http-Method-Override: OPTIONS",
    "Origin: http://evil.localhost\r\nAccess-Control-Request-Method: GET",
    "Cookie: gateway_session=evil\r\nCookie: gateway_session=evil",
    "Content-Length: 0\r\nExpect: 100-continue",
)
"""What is said about a request for something that is not public."""

PATHS = (
    "/public/..%00/secret",
    "/public%00/../secret",
    "/public/%c0%ae%c0%ae/secret",
    "/public/.%00./secret",
    "/public/..\xff/secret",
    "/public;/../secret",
    "/public/%2e%2e;/secret",
    '/public%2f..%2fsecret"',
    '/public/..%2fsecret<">',
    "/public/..%2fsecret{x}",
    "/public/../../secret",
    "/public/..",
    "/public/.",
    "/public/%2e",
    "/public/%25%32%65%25%32%65/secret",
    "/public/%u002e%u002e/secret",
    "/public/%",
    "/public/%zz/../secret",
    "//demo.gateway.localhost/public/../secret",
    "///secret",
    "/;/public/",
    "/.;/secret",
    "/secret%3f/public/",
    "/secret%23/public/",
    "/%2fpublic/../secret",
    "/%2e/public/../secret",
    "/.//public/../secret",
    "?/public/",
    "*",
    "public/",
    "\\public\\..\\secret",
    "/public/\t../secret",
    "/public/ /../secret",
    "/.gateway/../secret",
    "/.gateway/..%2fsecret",
    "/.gateway%2f../secret",
    "/public/../.gateway/../auth/envoy/public/",
)
"""Targets that are not public, or that the app must see as the gateway read them."""

HOSTS = (
    "demo.gateway.localhost:80@vault.gateway.localhost",
    "demo.gateway.localhost@vault.gateway.localhost",
    "vault.gateway.localhost.",
    "VAULT.gateway.localhost",
    "vault.gateway.localhost:443",
    "demo.gateway.localhost, vault.gateway.localhost",
    "demo.gateway.localhost#vault.gateway.localhost",
    "demo.gateway.localhost/vault.gateway.localhost",
    "demo.gateway.localhost?vault.gateway.localhost",
    "demo.gateway.localhost\\vault.gateway.localhost",
    "demo.gateway.localhost\r\nHost: vault.gateway.localhost",
    "vault.gateway.localhost\r\nHost: demo.gateway.localhost",
    "demo.gateway.localhost\r\nX-Forwarded-Host: vault.gateway.localhost",
    "vault.gateway.localhost\r\nX-Forwarded-Host: demo.gateway.localhost",
    "vault.gateway.localhost\r\nX-Forwarded-Host: demo.gateway.localhost\r\nConnection: Host, X-Forwarded-Host",
    "vault.gateway.localhost\x00.demo.gateway.localhost",
    "vault.gateway.localhost:0",
    "vault.gateway.localhost:demo",
    "",
)
"""Hosts with which bob, who may see demo, tries to see vault."""

ABSOLUTE = (
    ("http://demo.gateway.localhost/secret", HOST, False),
    ("http://demo.gateway.localhost/public/../secret", HOST, False),
    ("HTTP://DEMO.gateway.localhost:80/secret", "auth.gateway.localhost", False),
    ("http://vault.gateway.localhost/", HOST, True),
    ("http://demo.gateway.localhost/", "vault.gateway.localhost", True),
    ("http://demo.gateway.localhost@vault.gateway.localhost/", HOST, True),
    ("https://vault.gateway.localhost/", HOST, True),
    ("http:vault.gateway.localhost/", HOST, True),
    ("http:///vault.gateway.localhost/", HOST, True),
    ("ws://demo.gateway.localhost/secret", HOST, False),
)
"""Absolute targets, the Host beside them, and whether bob sends them (RFC 9112 section 3.2.2: the target wins)."""

FRAMING = (
    Attack("length and chunks", post(f"Content-Length: {len(SPLIT)}", CHUNKED), SPLIT),
    Attack("chunks and length", post(CHUNKED, "Content-Length: 4"), CHUNK),
    Attack("chunks under an odd name", post(f"Content-Length: {len(SPLIT)}", "Transfer-Encoding : chunked"), SPLIT),
    Attack("chunks behind a fold", post(f"Content-Length: {len(SPLIT)}", "X: y\r\n Transfer-Encoding: chunked"), SPLIT),
    Attack("chunks by another name", post(f"Content-Length: {len(SPLIT)}", "Transfer-Encoding: xchunked"), SPLIT),
    Attack("chunks that are not the last", post("Transfer-Encoding: chunked, identity"), SPLIT),
    Attack("chunks twice", post(CHUNKED, "Transfer-Encoding: identity"), SPLIT),
    Attack("chunks with a vertical tab", post("Transfer-Encoding: \x0bchunked", "Content-Length: 4"), CHUNK),
    Attack("chunks with an underscore", post("Transfer_Encoding: chunked", f"Content-Length: {len(SPLIT)}"), SPLIT),
    Attack("chunks in HTTP/1.0", get("/public/", CHUNKED, "Connection: keep-alive", version="HTTP/1.0"), CHUNK),
    Attack("two lengths", post("Content-Length: 0", LENGTH), EVIL),
    Attack("a list of lengths", post(f"Content-Length: 0, {len(EVIL)}"), EVIL),
    Attack("a length with a sign", post("Content-Length: +0"), EVIL),
    Attack("a length under an odd name", post("Content_Length: 0", LENGTH), EVIL),
    Attack("a nominated length", post("Connection: Content-Length", LENGTH), EVIL),
    Attack("nominated chunks", post("Connection: Transfer-Encoding", CHUNKED), CHUNK),
    Attack("a GET with a body", get("/public/", LENGTH), EVIL),
    Attack("a HEAD with a body", get("/public/", LENGTH, method="HEAD"), EVIL),
    Attack("a body that may not come", post("Expect: 100-continue", LENGTH), EVIL),
    Attack("an odd expectation", post("Expect: 200-odd", "Connection: Expect", LENGTH), EVIL),
    Attack("trailers", post(CHUNKED, "Trailer: Remote-User"), "1\r\nx\r\n0\r\nRemote-User: evil\r\n\r\n"),
    Attack("trailers that frame", post(CHUNKED), f"0\r\n{LENGTH}\r\nRemote_User: evil\r\n\r\n"),
    Attack("a line feed in a chunk's extension", post(CHUNKED), f"1;\nx\r\nx\r\n{SPLIT}", requests=2),
    Attack("a chunk's size of 65 bits", post(CHUNKED), f"10000000000000000\r\n\r\n{SPLIT}"),
    Attack("a chunk that ends early", post(CHUNKED), f"1\r\nxyz\r\n{SPLIT}"),
    Attack("bare line feeds", f"GET /public/ HTTP/1.1\nHost: {HOST}\n\n{EVIL}", requests=2),
    Attack("a second request line", f"GET /public/ HTTP/1.1\nGET /smuggled HTTP/1.1\r\nHost: {HOST}"),
    Attack("a request line in a target", get("/public/ HTTP/1.1\r\nRemote-User: evil\r\nX: ")),
    Attack("HTTP/0.9", "GET /public/", EVIL),
    Attack("HTTP/2", "PRI * HTTP/2.0", f"SM\r\n\r\n{EVIL}"),
    Attack("another HTTP", get("/secret", version="HTTP/1.2")),
    Attack("another protocol", get("/secret", version="ICY/1.1")),
    Attack("CONNECT", get(f"{HOST}:80", method="CONNECT"), EVIL),
    Attack("CONNECT to a path", get("/secret", method="CONNECT"), EVIL),
    Attack("a method in small letters", get("/secret", method="get")),
    Attack("pipelined", get("/public/"), EVIL, requests=2),
)
"""Messages that two servers could end at two places. "Pipelined" is honest: the second request is asked about as well."""

UPGRADES = (
    Attack("a body behind a POST", post("Connection: Upgrade", OPENS, LENGTH), EVIL),
    Attack("a body behind a GET", get("/public/", "Connection: Upgrade", OPENS, LENGTH), EVIL),
    Attack("a body behind bob", get("/", "Connection: Upgrade", OPENS, LENGTH), EVIL, bob=True),
    Attack("chunks", get("/public/", "Connection: Upgrade", OPENS, CHUNKED), CHUNK),
    Attack("chunks first", get("/public/", CHUNKED, "Connection: keep-alive, upgrade", OPENS), CHUNK),
    Attack("words before the answer", get("/public/", "Connection: Upgrade", OPENS), EVIL, requests=2),
    Attack("words before bob's answer", get("/ws", "Connection: Upgrade", OPENS), EVIL, bob=True, requests=2),
    Attack("an old version", get("/public/", "Connection: Upgrade", OPENS.replace("13", "7")), EVIL, requests=2),
    Attack("a nominated key", get("/public/", "Connection: Upgrade, Sec-WebSocket-Key", OPENS), EVIL, requests=2),
    Attack("a nominated identity", get("/ws", "Connection: Upgrade, Remote-User", OPENS), bob=True),
    Attack("a nominated cookie", get("/ws", "Connection: Upgrade, Cookie, Remote-User", OPENS), bob=True),
    Attack("without Connection", get("/public/", OPENS, LENGTH), EVIL),
    Attack("many protocols", get("/public/", "Connection: Upgrade", "Upgrade: h2c, websocket", LENGTH), EVIL),
    Attack(
        "h2c",
        get("/public/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA"),
        EVIL,
        requests=2,
    ),
    Attack(
        "h2c and a body",
        post("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA", LENGTH),
        EVIL,
    ),
    Attack("TLS", get("/public/", "Connection: Upgrade", "Upgrade: TLS/1.2, HTTP/1.1", LENGTH), EVIL),
    Attack(
        "a foreign page",
        get("/ws", "Connection: Upgrade", OPENS, "Origin: http://evil.localhost"),
        bob=True,
        requests=0,
    ),
    Attack(
        "a nominated origin",
        get("/ws", "Connection: Upgrade, Origin", OPENS, "Origin: http://evil.localhost"),
        bob=True,
    ),
    Attack(
        "nominated marks",
        get(
            "/ws",
            "Connection: Upgrade, Sec-WebSocket-Key, Sec-WebSocket-Version",
            OPENS,
            "Origin: http://evil.localhost",
        ),
        bob=True,
    ),
)
"""Where a connection might stop to be HTTP."""

ATTACKS: tuple[Attack, ...] = (
    *(Attack(f"public, {text!r}", get("/public/", text)) for text in NAMES),
    *(Attack(f"bob, {text!r}", get("/", text), bob=True) for text in NAMES),
    *(Attack(f"claim {text!r}", get("/secret", text)) for text in CLAIMS),
    *(Attack(f"path {text!r}", get(text)) for text in PATHS),
    *(Attack(f"host {text!r}", get("/", host=text), bob=True) for text in HOSTS),
    *(Attack(f"absolute {target} at {host}", get(target, host=host), bob=bob) for target, host, bob in ABSOLUTE),
    *(row._replace(name=f"framing: {row.name}") for row in FRAMING),
    *(row._replace(name=f"upgrade: {row.name}") for row in UPGRADES),
)
