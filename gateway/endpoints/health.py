"""Liveness, readiness and metrics, as bare ASGI callables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

Readiness = Callable[[], tuple[bool, Mapping[str, object]]]


def live() -> ASGIApp:
    """200 while the event loop turns."""
    return _answering(lambda: (200, b'{"status":"live"}', b"application/json"))


def ready(readiness: Readiness) -> ASGIApp:
    """200 while checks are answered, with a warning in the body when deaf; 503 otherwise."""

    def answer() -> tuple[int, bytes, bytes]:
        good, body = readiness()
        return (200 if good else 503), json.dumps(body).encode(), b"application/json"

    return _answering(answer)


def metrics(exposition: Callable[[], bytes]) -> ASGIApp:
    """Prometheus' text format."""
    return _answering(lambda: (200, exposition(), b"text/plain; version=0.0.4; charset=utf-8"))


def _answering(answer: Callable[[], tuple[int, bytes, bytes]]) -> ASGIApp:
    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        status, body, kind = answer()
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return door
