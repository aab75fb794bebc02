"""The connections to one app: those that nobody uses are kept for a while, and so many there may be at once.

The last one used is given first, so that those beyond what is needed grow old and are closed. A request that cannot be
asked twice is given one that was used a moment ago, or a new one: apps close what they think is idle, and what was sent
into that is lost.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from gateway import keepalive
from gateway.addresses import Place
from gateway.deadlines import Deadlines
from gateway.errors import Overloaded, Resting, SlowToConnect, Unreachable, Unverified, UpstreamFailed
from gateway.relay.breaker import Breaker
from gateway.relay.resolver import Resolver
from gateway.relay.upstream import Upstream
from gateway.settings import Upstream as Terms

FRESH = 1.5
"""Seconds after which a connection is not fresh any more."""


class Pool:
    """Those of the app at ``place``. ``tls`` makes the context of an https connection; ``cookies`` are the names of
    ours, which the app may not set."""

    def __init__(
        self,
        place: Place,
        terms: Terms,
        deadlines: Deadlines,
        tls: Callable[[], ssl.SSLContext],
        cookies: tuple[bytes, ...],
    ) -> None:
        self.place, self.terms = place, terms
        self._deadlines, self._tls, self._cookies = deadlines, tls, cookies
        self._breaker, self._resolver = Breaker(), Resolver(place.host)
        self._idle: list[Upstream] = []
        self._all: set[Upstream] = set()
        self._opening = 0

    def take(self, *, fresh: bool) -> Upstream | None:
        """A connection that nobody uses, if there is one; a ``fresh`` one was used a moment ago. Behind what an app has
        answered and not read nothing is asked: it would wait, and what is sent would be kept here without bound."""
        while self._idle:
            upstream = self._idle[-1]
            if upstream.full or (fresh and self._deadlines.now - upstream.idle_since > FRESH):
                return None
            self._idle.pop()
            if not upstream.transport.is_closing():
                return upstream
        return None

    async def open(self) -> Upstream:
        """A new connection; UpstreamFailed where it cannot be had."""
        loop = asyncio.get_running_loop()
        self._make_room()
        if self._breaker.rests(loop.time()):
            raise Resting
        self._opening += 1
        try:
            upstream = await self._connect()
        except UpstreamFailed:
            self._breaker.failed(loop.time())
            raise
        finally:
            self._opening -= 1
        self._breaker.worked()
        return upstream

    def back(self, upstream: Upstream) -> None:
        """Nobody uses it any more."""
        if not self._idle:
            self._deadlines.roughly(self, self.terms.idle)
        upstream.idle_since = self._deadlines.now
        self._idle.append(upstream)

    def lost(self, upstream: Upstream) -> None:
        """It is gone, whatever it served last."""
        self._all.discard(upstream)
        if upstream in self._idle:
            self._idle.remove(upstream)

    def expired(self) -> None:
        """Some may be too old; they stand in front."""
        oldest = self._deadlines.now - self.terms.idle
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.pop(0).abort()
        if self._idle:
            self._deadlines.set(self, self.terms.idle / 4)

    def close(self) -> None:
        """All of them, used or not."""
        for upstream in list(self._all):
            upstream.abort()

    def _make_room(self) -> None:
        """For one more. Those that nobody uses count, too: an app may take no more than it is said to."""
        most = self.terms.connections
        if self._opening + len(self._all) >= most:
            if not self._idle:
                raise Overloaded(f"{most} connections")
            oldest = self._idle.pop(0)
            self._all.discard(oldest)
            oldest.abort()

    async def _connect(self) -> Upstream:
        upstream = Upstream(self, self._cookies)
        try:
            async with asyncio.timeout(self.terms.connect):
                await self._dial(upstream)
        except ssl.SSLCertVerificationError as error:
            raise Unverified(error.verify_message) from None
        except TimeoutError:
            raise SlowToConnect(f"{self.terms.connect:g} s") from None
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(error.strerror or type(error).__name__) from None
        keepalive.watch(upstream.transport.get_extra_info("socket"))
        self._all.add(upstream)
        return upstream

    async def _dial(self, upstream: Upstream) -> None:
        scheme, host, port, path = self.place
        if port is None:
            await asyncio.get_running_loop().create_unix_connection(lambda: upstream, path)
        elif scheme == "https":
            await self._reach(upstream, port, ssl=self._tls(), server_hostname=host)
        else:
            await self._reach(upstream, port)

    async def _reach(self, upstream: Upstream, port: int, **how: Any) -> None:
        """At the first of its addresses that takes a connection."""
        loop, failed = asyncio.get_running_loop(), OSError("no address")
        for address in await self._resolver.addresses():
            try:
                await loop.create_connection(lambda: upstream, address, port, **how)
            except ssl.SSLError:
                raise
            except OSError as error:
                failed = error
            else:
                return
        self._resolver.forget()
        raise failed
