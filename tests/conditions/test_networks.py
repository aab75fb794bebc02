"""``networks``: the client's address, in one notation, or no."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gateway.conditions import networks
from gateway.model import HELD, AccessRequest, Failed

REQUEST = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/", "", "/", None, {})
LAN = networks.parse(["192.168.0.0/16", "2001:db8::/32", "203.0.113.9"])


@pytest.mark.parametrize("client", ["192.168.0.9", "::ffff:192.168.0.9", "2001:db8::1", "203.0.113.9"])
def test_a_client_inside_holds(client: str) -> None:
    assert LAN.holds(REQUEST._replace(client=ip_address(client)), None, 0) is HELD


@pytest.mark.parametrize(
    "client", ["192.169.0.9", "203.0.113.8", "2001:db9::1", "::192.168.0.9", "64:ff9b::192.168.0.9"]
)
def test_a_client_outside_fails(client: str) -> None:
    assert isinstance(LAN.holds(REQUEST._replace(client=ip_address(client)), None, 0), Failed)


@pytest.mark.parametrize("everything", ["0.0.0.0/0", "::/0"])
def test_a_client_that_is_not_known_is_in_no_network(everything: str) -> None:  # C078
    assert networks.parse([everything]).holds(REQUEST, None, 0) == networks.NO_ADDRESS


def test_a_network_with_host_bits_is_refused_with_what_was_meant() -> None:
    with pytest.raises(ValueError, match=r"write 10\.0\.0\.0/8"):
        networks.parse(["10.0.0.1/8"])
