"""The relay of one process: a pool for each app, and a client's side for each connection that is handed over."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path

from gateway import addresses
from gateway.deadlines import Deadlines
from gateway.errors import CannotStart
from gateway.relay.downstream import Downstream
from gateway.relay.parties import Home
from gateway.relay.pool import Pool
from gateway.settings import Upstream as Terms


class Pools(dict[str, Pool]):
    """The connections to each app, by its address in normal form; a pool is made when it is first asked for."""

    def __init__(self, make: Callable[[str], Pool]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, upstream: str) -> Pool:
        pool = self[upstream] = self._make(upstream)
        return pool


class Relay:
    """``cookies`` are the names of ours, which no app may set."""

    def __init__(self, terms: Terms, cookies: tuple[bytes, ...]) -> None:
        self._terms, self._cookies = terms, cookies
        self._tls = cache(lambda: trusting(terms.ca_file))  # the system's take a while to read; few apps need them
        if terms.ca_file is not None:
            self._tls()
        self.pools = Pools(self._pool)
        self._deadlines: Deadlines | None = None

    def client(self, transport: asyncio.Transport, home: Home) -> Downstream:
        """The client's side of a connection whose ``home`` is a door."""
        return Downstream(transport, home, self._due(), self.pools)

    def close(self) -> None:
        """End all connections to apps."""
        for pool in self.pools.values():
            pool.close()
        self.pools.clear()

    def _pool(self, upstream: str) -> Pool:
        return Pool(addresses.place(upstream), self._terms, self._due(), self._tls, self._cookies)

    def _due(self) -> Deadlines:
        if self._deadlines is None:
            self._deadlines = Deadlines(asyncio.get_running_loop())
        return self._deadlines


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """How https apps are met: certificates and names are verified (RFC 9110 section 4.3.4); CannotStart where the file
    cannot be used."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if authorities is not None:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror or type(error).__name__
            raise CannotStart(f"{authorities} cannot be used as upstream.ca_file: {reason}") from None
    return context
