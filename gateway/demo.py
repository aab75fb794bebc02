"""The demo app: shows what an app behind the gateway receives.

What lives here: one plain ASGI app for ``gateway up`` and for tests, which need to see what arrived. What may not:
anything of the gateway; this stands for somebody else's program, so it imports nothing here and trusts every header.
"""

from __future__ import annotations

import json
import socket
import sys
from base64 import b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from html import escape
from string import Template
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Demo = Callable[[Scope, Receive, Send], Awaitable[None]]

LISTEN = "127.0.0.1:8002"
"""Where ``python -m gateway.demo`` listens; the shipped files of proxies look for it there."""
IDENTITY = ("remote-user", "remote-groups", "remote-name", "remote-email")
SECRET = ("cookie", "authorization", "proxy-authorization", "x-api-key")
"""Shown by their length only, so that a screenshot of the page gives nobody's session away. (The JSON tells all.)"""

STYLE = """
:root{color-scheme:light dark;--p:#f6f4f8;--c:#fff;--i:#1d1826;--s:#605a6b;--l:#dedae4;--a:#6b3fa0;--t:#f0e9f8}
@media(prefers-color-scheme:dark){:root{--p:#13101a;--c:#1d1926;--i:#f0edf5;--s:#aea7ba;--l:#353040;--a:#c9a8f5;--t:#2c2140}}
*{box-sizing:border-box}
body{margin:0;padding:clamp(1.5rem,7vh,4rem) 1rem 2rem;background:var(--p);color:var(--i)}
body{font:1rem/1.55 system-ui,sans-serif}
main{max-width:46rem;margin:auto}
section{background:var(--c);border:1px solid var(--l);border-radius:1rem;padding:1.5rem;margin:1.25rem 0}
h1{margin:0;font-size:1.75rem;line-height:1.2}
h2{margin:0 0 .75rem;font-size:1.05rem}
p{margin:.4rem 0}
a{color:var(--a)}
nav a{display:inline-block;margin-right:1.25rem;padding:.4rem 0}
.soft{color:var(--s)}
table{width:100%;border-collapse:collapse;font-size:.925rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-top:1px solid var(--l);overflow-wrap:anywhere}
tr:first-child>*{border-top:0}
th{width:38%;font-weight:500;color:var(--s)}
.who th{color:var(--a)}
.who td{font-weight:650}
.who{background:var(--t)}
code,td{font-family:ui-monospace,Menlo,Consolas,monospace}
:focus-visible{outline:3px solid var(--a);outline-offset:2px}
"""

PAGE = Template("""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo app</title><style>$style</style></head>
<body><main>
<h1>$greeting</h1>
<p class="soft">This is a demo app behind the gateway, at <b>$host</b>. It has no sign-in of its own: what it knows of
you is in the highlighted headers.</p>
<nav><a href="/">Start</a><a href="/public/">A public page</a><a href="$portal">Your account and sign-out</a></nav>
<section><h2>$method $path</h2><table>$identity</table></section>
<section><h2>The other headers of this request</h2><table>$others</table></section>
<p class="soft">The same as JSON: <code>Accept: application/json</code>. It takes POST (this body: $length bytes) and
echoes WebSocket messages at <code>/ws</code>.</p>
</main></body></html>
""")

_STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


class Seen(NamedTuple):
    """One request as this app received it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body_length: int

    def first(self, name: str) -> str:
        """The value of the first header of that name, or an empty text."""
        return next((value for key, value in self.headers if key == name), "")


def app_for(portal_url: str) -> Demo:
    """The demo app; ``portal_url`` is where its page sends people to look after their account or sign out."""

    async def demo(scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await _answer(await _read(scope, receive), portal_url, send)
            case "websocket":
                await _echo(scope["path"], receive, send)
            case "lifespan":
                await _live(receive, send)

    return demo


async def _read(scope: Scope, receive: Receive) -> Seen:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    return Seen(scope["method"], scope["path"], headers, length)


async def _answer(seen: Seen, portal_url: str, send: Send) -> None:
    if "application/json" in seen.first("accept"):
        kind, body = "application/json", json.dumps(seen._asdict())
    else:
        kind, body = "text/html; charset=utf-8", _page(seen, portal_url)
    data = body.encode()
    headers = {"content-type": kind, "content-length": str(len(data)), "content-security-policy": _POLICY}
    headers |= {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if seen.method == "HEAD" else data})


def _page(seen: Seen, portal_url: str) -> str:
    user = seen.first("remote-user")
    identity = [(name, value) for name, value in seen.headers if name in IDENTITY]
    return PAGE.substitute(
        style=STYLE,
        greeting=f"Hello, {escape(user)}" if user else "Hello, whoever you are",
        host=escape(seen.first("host")),
        portal=escape(portal_url.rstrip("/") + "/"),
        method=escape(seen.method),
        path=escape(seen.path),
        identity=_rows(identity, "who")
        or '<tr><td class="soft">No identity headers: nobody asked the gateway.</td></tr>',
        others=_rows([pair for pair in seen.headers if pair[0] not in IDENTITY], ""),
        length=seen.body_length,
    )


def _rows(headers: list[tuple[str, str]], mark: str) -> str:
    return "".join(
        f'<tr class="{mark}"><th>{escape(name)}</th><td>{_shown(name, value)}</td></tr>' for name, value in headers
    )


def _shown(name: str, value: str) -> str:
    if name in SECRET:
        return f'<span class="soft">not shown ({len(value)} characters)</span>'
    return escape(value) or '<span class="soft">(empty)</span>'


async def _echo(path: str, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept" if path == "/ws" else "websocket.close"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})


async def _live(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": f"{message['type']}.complete"})


def main(listen: str = LISTEN, portal_url: str = "") -> None:
    """Serve the demo app at host:port, or on a listening socket that the parent hands down by its number."""
    # Imported here: whoever wants the app alone needs no server.
    import uvicorn

    listener = socket.socket(fileno=int(listen)) if listen.isdecimal() else _bound(listen)
    uvicorn.Server(uvicorn.Config(app_for(portal_url), log_level="warning", access_log=False)).run([listener])


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    return socket.create_server((host, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
