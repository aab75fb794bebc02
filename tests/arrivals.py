"""Who came to the doors of a gateway under test, whichever of the two doors answered: each message once, as it was read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.endpoints.express import ExpressProtocol
from gateway.endpoints.plain import Plain
from gateway.model import Reply
from serving import Served


class Arrivals:
    """Method, path, query and headers of every message, in order."""

    def __init__(self, doors: Any) -> None:
        self._doors, self.requests = doors, list[tuple[Any, ...]]()

    async def __call__(self, scope: Any, *rest: Any) -> None:
        """At the ASGI door."""
        self.requests.append((scope["method"], scope["raw_path"], scope["query_string"], tuple(scope["headers"])))
        await self._doors(scope, *rest)

    def answered(self, message: Plain) -> None:
        """At the express door."""
        path, _, query = message.target.partition(b"?")
        self.requests.append((message.method, path, query, tuple(message.headers)))


@contextmanager
def arrivals(served: Served) -> Iterator[Arrivals]:
    """Those from now on; of one gateway at a time."""
    noted, say = Arrivals(served.gateway._doors), ExpressProtocol._say

    def noting(self: ExpressProtocol, reply: Reply, message: Plain) -> None:
        noted.answered(message)
        say(self, reply, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.gateway, "_doors", noted)
        patch.setattr(ExpressProtocol, "_say", noting)
        yield noted
