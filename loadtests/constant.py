"""What no ASGI application can beat: the same answer to everything, with the headers of a check. ``servers`` runs it."""

from __future__ import annotations

import json
import os
from typing import Any

HEADERS = [(b"content-length", b"0")] + [
    (name.encode(), value.encode()) for name, value in json.loads(os.environ["CONSTANT_HEADERS"])
]
START = {"type": "http.response.start", "status": 200, "headers": HEADERS}
BODY = {"type": "http.response.body", "body": b""}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """200."""
    await send(START)
    await send(BODY)
