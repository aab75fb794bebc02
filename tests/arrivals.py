"""Who came to the doors of a gateway under test, whichever of the two doors answered: each message once, as it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.endpoints.express import ExpressProtocol
from gateway.messages import plain
from serving import Served


class Arrivals:
    """Method, path, query and headers of every message, in order."""

    def __init__(self, doors: Any) -> None:
        self._doors, self.requests = doors, list[tuple[Any, ...]]()

    async def __call__(self, scope: Any, *rest: Any) -> None:
        """At the ASGI door."""
        self.requests.append((scope["method"], scope["raw_path"], scope["query_string"], tuple(scope["headers"])))
        await self._doors(scope, *rest)

    def attempt(self, data: bytes, answer: Callable[[], bool]) -> bool:
        """At the express door. Noted before it is answered, so that who has the answer finds the note."""
        message = plain.read(data)
        if message is None:
            assert not answer(), "an answer to what cannot be read at a glance"
            return False
        path, _, query = message.target.partition(b"?")
        self.requests.append((message.method, path, query, tuple(message.headers)))
        if answer():
            return True
        self.requests.pop()
        return False


@contextmanager
def arrivals(served: Served) -> Iterator[Arrivals]:
    """Those from now on; of one gateway at a time."""
    noted = Arrivals(served.gateway._doors)

    def noting(answer: Callable[[ExpressProtocol, bytes], bool]) -> Callable[[ExpressProtocol, bytes], bool]:
        def answered(self: ExpressProtocol, data: bytes) -> bool:
            return noted.attempt(data, lambda: answer(self, data))

        return answered

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.gateway, "_doors", noted)
        patch.setattr(ExpressProtocol, "_answered", noting(ExpressProtocol._answered))
        yield noted
