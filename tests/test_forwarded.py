"""Who is a trusted proxy, and who the client is."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import forwarded
from gateway.forwarded import Trust

PROXY = Trust(networks=(ip_network("10.0.0.1/32"),))
LAN = Trust(networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
SECRET = Trust(networks=(ip_network("10.0.0.0/8"),), unix=True, secret=b"a-secret-of-the-proxy")
ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.1", "0.0.0.0", None, ""])  # noqa: S104  # as a peer
def test_nobody_is_believed_by_default(peer: str | None) -> None:  # C063
    assert not Trust().believes(peer, b"")
    assert not Trust().believes(peer, b"any secret")


@pytest.mark.parametrize(
    ("trust", "peer", "secret", "believed"),
    [
        (PROXY, "10.0.0.1", b"", True),
        (PROXY, "::ffff:10.0.0.1", b"", True),
        (PROXY, "10.0.0.2", b"", False),
        (PROXY, "::ffff:10.0.0.2", b"", False),
        (PROXY, "::10.0.0.1", b"", False),
        (PROXY, None, b"", False),
        (LAN, "fd00::1", b"", True),
        (LAN, "fd00::1%eth0", b"", False),
        (LAN, "not an address", b"", False),
        (Trust(unix=True), None, b"", True),
        (Trust(unix=True), "127.0.0.1", b"", False),
        (SECRET, "203.0.113.9", b"a-secret-of-the-proxy", True),
        (SECRET, None, b"a-secret-of-the-proxy", True),
        (SECRET, "10.0.0.1", b"", False),
        (SECRET, None, b"", False),
        (SECRET, "10.0.0.1", b"a-secret-of-the-prox", False),
        (SECRET, "10.0.0.1", b"A-secret-of-the-proxy", False),
        (SECRET, "10.0.0.1", b"\xff", False),
    ],
)
def test_a_proxy_is_believed_by_its_network_its_socket_or_its_secret(
    trust: Trust, peer: str | None, secret: bytes, believed: bool
) -> None:
    assert trust.believes(peer, secret) is believed


@pytest.mark.parametrize(
    ("trust", "header", "client"),
    [
        (PROXY, b"1.2.3.4", "1.2.3.4"),
        (PROXY, b"1.2.3.4, 10.0.0.9", "10.0.0.9"),  # C077
        (LAN, b"1.2.3.4, 10.0.0.9", "1.2.3.4"),
        (LAN, b"6.6.6.6, 1.2.3.4, 10.0.0.9 ,\t10.0.0.8", "1.2.3.4"),
        (LAN, b"10.0.0.7, 10.0.0.8", "10.0.0.7"),
        (LAN, b"1.2.3.4, ::ffff:10.0.0.9", "1.2.3.4"),
        (PROXY, b"::ffff:1.2.3.4", "1.2.3.4"),
        (PROXY, b"2001:DB8::1", "2001:db8::1"),
        (Trust(), b"1.2.3.4, 5.6.7.8", "5.6.7.8"),  # C082
        (SECRET, b"1.2.3.4", "1.2.3.4"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(
    trust: Trust, header: bytes, client: str
) -> None:
    assert trust.client(header) == ip_address(client)


# fmt: off
NO_ADDRESSES = [
    "a", "", " ", "999.1.1.1", "1.2.3.4:80:1", "1.2.3.4:80", "[2001:db8::1]", "unknown", "_hidden", "01.2.3.4", "1.2.3",
    "fe80::1%eth0", "0x7f.0.0.1", "16909060", "1.2.3.4 5.6.7.8", "1.2.3.4\x00", "\xff", "1.2.3.٤", "1" * 100_000,
]
# fmt: on


@pytest.mark.parametrize("last", NO_ADDRESSES)
@pytest.mark.parametrize("before", ["", "1.2.3.4, ", "1.2.3.4, 10.0.0.9, "])
def test_an_entry_that_is_no_address_is_no_client_and_nothing_left_of_it_is_asked(
    before: str, last: str
) -> None:  # C078
    header = (before + last).encode("latin-1", "replace")
    assert LAN.client(header) is None


@given(
    spoofed=st.lists(st.text(st.characters(max_codepoint=255, exclude_characters=","), max_size=40), max_size=5),
    client=ADDRESSES,
    proxies=st.lists(st.sampled_from(["10.0.0.2", " 10.9.9.9", "fd00::5", "::ffff:10.1.1.1"]), max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_nothing_that_a_client_writes_to_its_left_changes_who_it_is(
    spoofed: list[str], client: str, proxies: list[str]
) -> None:
    if forwarded.within(client, LAN.networks):
        return
    alone = LAN.client(client.encode())
    assert alone is not None
    assert LAN.client(", ".join([*spoofed, client, *proxies]).encode("latin-1")) == alone


@given(header=st.binary(max_size=200), trust=st.sampled_from([Trust(), PROXY, LAN, SECRET]))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_name_a_client_or_none_and_raise_nothing(header: bytes, trust: Trust) -> None:
    assert isinstance(trust.client(header), IPv4Address | IPv6Address | None)


@given(written=ADDRESSES)
@settings(max_examples=200, deadline=None)
def test_an_address_is_never_ipv4_inside_ipv6(written: str) -> None:
    found = forwarded.address(written)
    assert found is not None
    assert getattr(found, "ipv4_mapped", None) is None
    assert forwarded.address(str(found)) == found


def test_what_is_longer_than_any_address_is_not_remembered() -> None:
    before = forwarded._address.cache_info().currsize
    assert forwarded.address("1" * 10_000) is None
    assert forwarded._address.cache_info().currsize == before


def test_the_secret_is_not_shown() -> None:
    assert "a-secret-of-the-proxy" not in repr(SECRET)
