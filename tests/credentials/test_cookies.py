"""One cookie out of a Cookie header, as browsers wrote it there and not otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.credentials import cookies

NAME = b"__Host-gateway_portal"
VALUES = st.text(st.sampled_from("abc=, \t\"'\x0b_%"), max_size=40).map(str.encode)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"__Host-gateway_portal=a", [b"a"]),
        (b"x=1; __Host-gateway_portal=a; y=2", [b"a"]),
        (b"x=1;__Host-gateway_portal=a;y=2", [b"a"]),
        (b"x=1; \t__Host-gateway_portal = a ; y=2", [b"a"]),
        (b'__Host-gateway_portal="a"', [b"a"]),
        (b"__Host-gateway_portal=a=b", [b"a=b"]),
        (b"__Host-gateway_portal=bad; __Host-gateway_portal=good", [b"bad", b"good"]),  # C214
        (b"__Host-gateway_portal=", [b""]),
        (b"__Host-gateway_portal", [b""]),
        (b"", []),
        (b"; ;=;", []),
        (b"__host-gateway_portal=a; __HOST-GATEWAY_PORTAL=b", []),  # C217
        (b"__Host-gateway_portal2=a; x__Host-gateway_portal=b; __Host-gateway_porta=c", []),
        (b"x=__Host-gateway_portal=a", []),
        (b'x="; __Host-gateway_portal=a"', [b"a"]),
        (b"\xff=\xff; __Host-gateway_portal=a", [b"a"]),
    ],
)
def test_every_value_of_the_exact_name_is_found_in_order(header: bytes, found: list[bytes]) -> None:
    assert cookies.values(header, NAME) == found


@pytest.mark.parametrize(
    "header",
    [
        b"lang=en, __Host-gateway_portal=planted",
        b"lang=en,__Host-gateway_portal=planted",
        b"lang=en; \x0b__Host-gateway_portal=planted",
        b"lang=en; \r__Host-gateway_portal=planted",
        b"lang=en; \xc2\xa0__Host-gateway_portal=planted",
        b"lang=en; \xe2\x80\x80__Host-gateway_portal=planted",
        b'$Version=1, $Path="/", __Host-gateway_portal=planted',
    ],
)
def test_a_sibling_cannot_plant_a_prefixed_cookie_inside_another(header: bytes) -> None:
    """Browsers let only this host set ``__Host-``; a reader that cuts or strips more than they do gives that away."""
    assert cookies.values(header, NAME) == []


@given(value=VALUES)
@settings(max_examples=200, deadline=None)
def test_no_value_of_another_cookie_is_ours(value: bytes) -> None:
    planted = b"other=" + value + NAME + b"=planted"
    assert cookies.values(planted, NAME) == []
    assert cookies.values(planted + b"; " + NAME + b"=mine; x=" + value, NAME) == [b"mine"]


def test_two_hundred_other_cookies_hide_none_of_ours() -> None:  # C217
    around = b"; ".join(b"c%d=%d" % (n, n) for n in range(100))
    assert cookies.values(around + b"; " + NAME + b"=a; " + around, NAME) == [b"a"]


def test_names_have_prefixes_where_browsers_honour_them() -> None:  # C209
    assert cookies.names(secure=True) == (b"__Secure-gateway_session", b"__Host-gateway_portal")
    assert cookies.names(secure=False) == (b"gateway_session", b"gateway_portal")
