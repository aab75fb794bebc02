"""``networks: [192.168.0.0/16]``: the client's address is in one of these.

The client's address is what ``forwarded`` found through trusted proxies; where it found none, this fails. IPv4 inside
IPv6 (``::ffff:192.168.0.9``, what a dual-stack socket reports) counts as IPv4.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import ClassVar

from gateway import addresses, values
from gateway.addresses import Network
from gateway.model import HELD, AccessRequest, Failed, Holds, Identity

KEY = "networks"
SUBJECT = False
READS_PATH = False

NO_ADDRESS = Failed("the client's address is not known")


@dataclass(frozen=True, slots=True)
class Networks:
    """One of several networks."""

    reads_path: ClassVar[bool] = READS_PATH
    networks: tuple[Network, ...]
    failed: Failed

    def holds(self, request: AccessRequest, identity: Identity | None, now: float) -> Holds:
        client = request.client
        if client is None:
            return NO_ADDRESS
        if isinstance(client, IPv6Address):
            client = client.ipv4_mapped or client
        for network in self.networks:
            if client in network:
                return HELD
        return self.failed


def parse(value: object) -> Networks:
    """A list of networks or single addresses."""
    networks = tuple(addresses.network(item) for item in values.texts(value))
    return Networks(networks, Failed(f"the client's address is not in {' or '.join(map(str, networks))}"))
