"""Liveness, readiness and metrics, as bare ASGI callables.

Of several workers, liveness and readiness are those of the one that accepted the connection, which is the one that would
have answered a check on it; metrics are everybody's.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

Readiness = Callable[[], tuple[bool, Mapping[str, object]]]
Answer = tuple[int, bytes, bytes]
"""Status, body, content type."""


def live() -> ASGIApp:
    """200 while the event loop turns."""

    async def answer() -> Answer:
        return 200, b'{"status":"live"}', b"application/json"

    return _answering(answer)


def ready(readiness: Readiness) -> ASGIApp:
    """200 while checks are answered, with a warning in the body when deaf; 503 otherwise."""

    async def answer() -> Answer:
        good, body = readiness()
        return (200 if good else 503), json.dumps(body).encode(), b"application/json"

    return _answering(answer)


def metrics(exposition: Callable[[], Awaitable[bytes]]) -> ASGIApp:
    """Prometheus' text format."""

    async def answer() -> Answer:
        return 200, await exposition(), b"text/plain; version=0.0.4; charset=utf-8"

    return _answering(answer)


def _answering(answer: Callable[[], Awaitable[Answer]]) -> ASGIApp:
    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        status, body, kind = await answer()
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return door
