"""Hosts, networks and sockets as people write them: one normal form each, or a sentence that helps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import addresses, target

HOSTS = st.text(st.sampled_from("aZ09-_.*:/é ßıİ。\uff41@%\t"), max_size=20) | st.text(max_size=20)


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("app.example.com", "app.example.com"),
        ("APP.Example.COM", "app.example.com"),
        ("app.example.com.", "app.example.com"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("MÜNCHEN.example", "xn--mnchen-3ya.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("a_b.localhost", "a_b.localhost"),
        ("localhost", "localhost"),
    ],
)
def test_a_host_has_one_normal_form(written: str, host: str) -> None:
    assert addresses.host(written) == host


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "is empty"),
        ("https://app.example.com", "leave out the scheme"),
        ("app.example.com/x", "leave out the scheme and the path"),
        ("app.example.com:443", "leave out the port"),
        ("*.example.com", "a wildcard is"),
        ("app*.example.com", "a wildcard is"),
        ("app..example.com", "not a host name"),
        (".example.com", "not a host name"),
        ("-app.example.com", "not a host name"),
        ("app example.com", "not a host name"),
        ("a" * 64 + ".example.com", "not a host name"),
        ("127.0.0.1", "is an address"),
        ("0x7f.1", "is an address"),
        ("app.0x7f", "is an address"),
        ("::1", "leave out the port"),
        ("straße.example", "not read alike everywhere"),
        ("\uff41pp.example", "not read alike everywhere"),
        ("app。example", "not read alike everywhere"),
        ("app.example.com\n", "control character"),
        (80, "put quotes around 80"),
        (None, "not nothing"),
    ],
)
def test_a_host_that_is_none_is_told_why(written: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        addresses.host(written)


@given(written=HOSTS)
@settings(max_examples=200, deadline=None)
def test_normalising_a_host_twice_is_normalising_it_once(written: str) -> None:
    try:
        once = addresses.host(written)
    except ValueError:
        return
    assert addresses.host(once) == once
    assert target.authority(once.encode(), "https") == (once, once), "a request with this host is read otherwise"


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("app.example.com", "app.example.com", True),
        ("*.example.com", "app.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),  # C103
        ("*.example.com", "evilexample.com", False),  # C091
        ("*.example.com", "example.com.evil.org", False),  # C092
        ("app.example.com", "x.app.example.com", False),
    ],
)
def test_a_wildcard_covers_whole_labels_below_it(pattern: str, name: str, covered: bool) -> None:
    assert addresses.covers(addresses.host_pattern(pattern), name) is covered


@pytest.mark.parametrize("written", ["*", "*.", "*. ", "*.*.example.com", "a.*.example.com", "*example.com"])
def test_a_wildcard_is_the_whole_first_label(written: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        addresses.host_pattern(written)


@pytest.mark.parametrize(
    ("name", "domain", "within"),
    [
        ("example.com", "example.com", True),
        ("a.example.com", "example.com", True),
        ("notexample.com", "example.com", False),  # C213
        ("example.com", "a.example.com", False),
    ],
)
def test_a_domain_holds_itself_and_what_is_under_it(name: str, domain: str, within: bool) -> None:
    assert addresses.inside(name, domain) is within


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://immich:2283", "http://immich:2283"),
        ("HTTP://Immich:2283/", "http://immich:2283"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com.:80/", "http://app.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::0001]:80", "http://[::1]"),
    ],
)
def test_a_base_url_ends_after_its_port(written: str, url: str) -> None:
    assert addresses.base_url(written) == url


# fmt: off
NO_URLS = [
    "immich:2283", "ftp://a.example", "https://", "https://a.example/x", "https://a.example?x", "https://a.example#x",
    "https://a.example:0", "https://a.example:99999", "https://a.example:x", "https://[::1", "https://[::g]",
    "https://alice:hunter2@a.example", "https://a.example\\@b.example", "https://a .example", "https://ä.example",
]
# fmt: on


@pytest.mark.parametrize("written", NO_URLS)
def test_another_url_is_refused_without_repeating_a_password(written: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        addresses.base_url(written)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "normal", "place"),
    [
        ("http://Immich:2283/", "http://immich:2283", ("http", "immich", 2283, "")),
        ("http://immich:80", "http://immich", ("http", "immich", 80, "")),
        ("https://app.example.com.:443", "https://app.example.com", ("https", "app.example.com", 443, "")),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443", ("https", "127.0.0.1", 8443, "")),
        ("http://[::0001]:8080", "http://[::1]:8080", ("http", "::1", 8080, "")),
        ("unix:/run/app.sock", "unix:/run/app.sock", ("http", "localhost", None, "/run/app.sock")),
    ],
)
def test_an_app_listens_at_a_base_url_or_at_a_socket(
    written: str, normal: str, place: tuple[str, str, int | None, str]
) -> None:
    assert addresses.upstream(written) == addresses.upstream(normal) == normal
    assert addresses.place(normal) == place


@pytest.mark.parametrize(
    "written", [*NO_URLS, "unix:", "unix:run/app.sock", "unix:/" + "x" * 107, "UNIX:/run/app.sock", "/run/app.sock"]
)
def test_an_app_listens_nowhere_else(written: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        addresses.upstream(written)
    assert "hunter2" not in str(caught.value)


@given(written=HOSTS.map("https://{}".format) | HOSTS.map("http://[{}]:1".format) | HOSTS.map("unix:/{}".format))
@settings(max_examples=200, deadline=None)
def test_whatever_can_be_where_an_app_listens_can_be_taken_apart(written: str) -> None:
    try:
        normal = addresses.upstream(written)
    except ValueError:
        return
    found = addresses.place(normal)
    assert found.scheme in {"http", "https"}
    assert found.host
    assert (found.port is None) == bool(found.path) == normal.startswith("unix:/")


@pytest.mark.parametrize(
    "written", ["https://auth.example.com", "http://auth.gateway.localhost:8080", "https://auth.example.com:8443"]
)
def test_a_portal_is_where_cookies_are_kept(written: str) -> None:
    assert addresses.portal_url(written) == written


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("http://auth.example.com", "must begin with https://"),
        ("http://localhost:8080", "must begin with https://"),
        ("http://auth.evillocalhost", "must begin with https://"),
        ("https://127.0.0.1", "is an address"),
        ("https://[::1]", "not a host name"),
    ],
)
def test_a_portal_elsewhere_is_refused(written: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        addresses.portal_url(written)


@pytest.mark.parametrize("written", ["10.0.0.0/8", "192.0.2.7", "::1", "2001:db8::/32"])
def test_a_network_is_a_network_or_one_address(written: str) -> None:
    assert addresses.network(written) == ip_network(written)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("10.0.0", "not a network"),
        ("10.0.0.0/33", "not a network"),
        ("010.0.0.1", "not a network"),
        ("app.example.com", "not a network"),
        ("::ffff:10.0.0.0/104", "write it as IPv4"),
        ("fe80::1%eth0", "names a zone"),
        ("fe80::%eth0/64", "names a zone"),
        (10, "put quotes around 10"),
    ],
)
def test_another_network_is_told_what_was_meant(written: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        addresses.network(written)


@pytest.mark.parametrize(
    ("written", "listen"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("localhost:0", "localhost:0"),
        ("[::0001]:8000", "[::1]:8000"),
        ("unix:/run/gateway.sock", "unix:/run/gateway.sock"),
    ],
)
def test_a_server_listens_at_a_port_or_a_socket(written: str, listen: str) -> None:
    assert addresses.listen(written) == listen


# fmt: off
NO_LISTENERS = [
    "8000", ":8000", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:٣", "::1:8000", "[x]:1", "unix:", "a b:1",
    "unix:run.sock", "unix:/" + "x" * 107,
]
# fmt: on


@pytest.mark.parametrize("written", NO_LISTENERS)
def test_it_listens_nowhere_else(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        addresses.listen(written)


# fmt: off
READERS = [
    addresses.host, addresses.host_pattern, addresses.base_url, addresses.upstream, addresses.portal_url,
    addresses.network, addresses.listen,
]
# fmt: on


@pytest.mark.parametrize("read", READERS)
@given(written=HOSTS | HOSTS.map("https://{}".format) | HOSTS.map("http://[{}]:1".format) | st.none() | st.integers())
@settings(max_examples=200, deadline=None)
def test_anything_else_raises_nothing_but_valueerror(read: Callable[[object], object], written: object) -> None:
    with suppress(ValueError):
        read(written)
