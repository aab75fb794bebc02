"""Where an app is: its name is looked up in a thread of its own, because a name server that does not answer would hold up
every other lookup of the process, whose threads for that are few and shared, and the process's end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread

KEPT = 5.0
"""Seconds for which a name's addresses are believed: a container that comes back has another one."""


class Resolver:
    """Of one host. There is one lookup at a time, for all who wait."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._found, self._until = ([host], float("inf")) if _is_address(host) else ([], float("-inf"))
        self._asking: asyncio.Future[list[str]] | None = None

    async def addresses(self) -> list[str]:
        """At least one, the best first; OSError where there is none."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._until:
            return self._found
        if self._asking is None:
            self._asking = loop.create_future()
            Thread(target=self._look_up, args=(loop,), name=f"look up {self._host}", daemon=True).start()
        return await asyncio.shield(self._asking)

    def forget(self) -> None:
        """Nobody was there."""
        if self._found != [self._host]:
            self._until = float("-inf")

    def _look_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread."""
        found: list[str] | OSError
        try:
            entries = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(place[0]) for *_, place in entries))
        except OSError as error:
            found = error
        except UnicodeError as error:
            found = OSError(str(error))
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(self._learn, loop.time() + KEPT, found)

    def _learn(self, until: float, found: list[str] | OSError) -> None:
        asking, self._asking = self._asking, None
        if asking is None or asking.done():
            return
        if isinstance(found, OSError):
            asking.set_exception(found)
            asking.exception()  # whoever waited may have gone
        else:
            self._found, self._until = found, until
            asking.set_result(found)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
