"""Which peer is a trusted proxy, and who the client is. Nothing else believes ``X-Forwarded-*``.

Nothing is trusted by default, loopback neither: Docker's userland proxy and every local user are 127.0.0.1 too.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeVar

from gateway.model import Address

K = TypeVar("K")
V = TypeVar("V")
Network = IPv4Network | IPv6Network
SECRET_HEADER = b"x-gateway-secret"
_LONGEST = len("0000:0000:0000:0000:0000:ffff:192.168.100.200")
"""Characters of the longest address: what a stranger writes beyond that is not remembered."""
_LONG, _MOST = 128, 4096
"""Bytes of a header beyond which it is read each time, and how many are remembered."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose forwarded headers are believed. A configured ``secret`` is what proves a proxy, wherever it connects from;
    without one, the peer's network does, or the Unix socket where ``unix`` says so."""

    networks: tuple[Network, ...] = ()
    unix: bool = False
    secret: bytes = field(default=b"", repr=False)
    _peers: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)
    _clients: dict[bytes, Address | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def believes(self, peer: str | None, secret: bytes) -> bool:
        """Whether the sender of a question is a trusted proxy."""
        if self.secret:
            return hmac.compare_digest(self.secret, secret)
        if peer is None:
            return self.unix
        if not self.networks:
            return False
        if (known := self._peers.get(peer)) is None:
            known = within(peer, self.networks)
            _keep(self._peers, peer, known)
        return known

    def client(self, forwarded_for: bytes) -> Address | None:
        """The client's address: the first from the right of X-Forwarded-For that is no trusted proxy, or None if that
        entry is not an address (then no network condition holds). Who asks is the proxy, never the client: a proxy that
        names nobody must not open what its own network may see."""
        known = self._clients
        if forwarded_for in known:
            return known[forwarded_for]
        found = self._nearest(forwarded_for)
        if len(forwarded_for) <= _LONG:
            _keep(known, forwarded_for, found)
        return found

    def _nearest(self, forwarded_for: bytes) -> Address | None:
        nearest: Address | None = None
        for text in reversed(forwarded_for.decode("latin-1").split(",")):
            nearest = address(text.strip(" \t"))
            if nearest is None or not _inside(nearest, self.networks):
                return nearest
        return nearest


def _keep(known: dict[K, V], key: K, value: V) -> None:
    """The oldest goes when there are too many."""
    if len(known) >= _MOST:
        del known[next(iter(known))]
    known[key] = value


def address(text: str) -> Address | None:
    """One address, IPv4 in IPv6 unwrapped; None for anything else (ports, names, zones, odd notations)."""
    return _address(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return None if found.scope_id else found.ipv4_mapped or found
    return found


def within(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether ``peer`` is an address of one of ``networks``."""
    found = address(peer)
    return found is not None and _inside(found, networks)


def _inside(found: Address, networks: tuple[Network, ...]) -> bool:
    return any(found.version == network.version and found in network for network in networks)
