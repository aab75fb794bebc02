"""The forwardAuth endpoint, as an ASGI app for a plain uvicorn: 200 for a device that is known, 401 for all else.

BASELINE_DATABASE_URL=... BASELINE_CAUSES=pool+key uvicorn --app-dir loadtests baseline.endpoint:app
Here: one question and its answer. Not here: statements (``rows``), or how the ground is laid (``ground``).
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from baseline import causes
from baseline.rows import POOL_SIZE, POOL_TIMEOUT, Asked, Remembered, Rows, remember

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
COOKIE = "device"


class Endpoint:
    """What answers a question: the rows, and whether the key is parsed each time."""

    def __init__(self, rows: Rows, parses: bool) -> None:
        self._rows = rows
        self._parses = parses

    async def answer(self, host: str, cookie: str) -> int:
        """The status. The steps are in the order of the original; each ``await`` is one checkout where rows are asked."""
        if not await self._rows.app(host.partition(".")[0]):
            return 404
        identity = await self._rows.identity()
        if self._parses:
            public_key(identity)
        number = proven(cookie, await self._rows.secret())
        if number is None or not await self._rows.device(number):
            return 401
        await self._rows.seen(number)
        await self._rows.profile()
        return 200


def public_key(pem: bytes) -> bytes:
    """The public half, for a header; to have it, the private one is read and checked, on the event loop."""
    key = load_pem_private_key(pem, None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed(number: int, secret: bytes) -> str:
    """What a device's cookie holds."""
    return f"{number}.{hmac.digest(secret, str(number).encode(), 'sha256').hex()}"


def proven(cookie: str, secret: bytes) -> int | None:
    """The device that the Cookie header proves, or None."""
    for pair in cookie.split("; "):
        name, _, value = pair.partition("=")
        number = value.partition(".")[0]
        if name == COOKIE and number.isdecimal() and hmac.compare_digest(value, signed(int(number), secret)):
            return int(number)
    return None


_endpoint: list[Endpoint] = []


async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """What uvicorn calls."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    headers = dict(scope["headers"])
    host, cookie = (headers.get(name, b"").decode("latin-1") for name in (b"x-forwarded-host", b"cookie"))
    try:
        status = await _endpoint[0].answer(host, cookie)
    except PoolTimeout:
        status = 500
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _live(receive: Receive, send: Send) -> None:
    chosen = causes.read(os.environ.get("BASELINE_CAUSES", "pool+key"))
    url = os.environ["BASELINE_DATABASE_URL"]
    await receive()
    pool = AsyncConnectionPool(url, min_size=POOL_SIZE, max_size=POOL_SIZE, timeout=POOL_TIMEOUT, open=False)
    async with pool:
        await pool.wait()
        rows: Asked | Remembered = Asked(pool) if chosen.pool else await remember(pool)
        _endpoint.append(Endpoint(rows, chosen.key))
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})
