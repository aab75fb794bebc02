"""Whatever is sent, what goes on are headers that were sent: fewer of them, never others, never one more."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import cleaning
from gateway.cleaning import Rules
from gateway.credentials import cookies
from gateway.headers import lines
from gateway.model import Headers

OURS = (b"__Secure-gateway_session", b"ours")
RULES = Rules(OURS, frozenset({b"remote-user", b"x-role"}), overrides=True)
CHOSEN = st.sampled_from(
    b"Host Accept X-Foo x_role X-Role Remote_User X-Forwarded-For Cookie cookie Connection TE Transfer-Encoding "
    b"X-Api-Key X-HTTP-Method-Override Set-Cookie Content-Length Proxy-Status Trailer".split()
)
ANY = st.text(st.sampled_from("abXY09-_.!~"), min_size=1, max_size=70).map(str.encode)
OPTIONS = st.lists(CHOSEN | st.sampled_from([b"close", b"keep-alive", b"", b"x-foo"]), max_size=4).map(b", ".join)
PAIRS = st.lists(
    st.text(st.sampled_from('ours=; \tab"'), max_size=12).map(str.encode) | st.sampled_from(OURS), max_size=6
)
WORDS = st.text(st.sampled_from("abc,;= gwk_\t"), max_size=20).map(str.encode)
VALUES = (OPTIONS | PAIRS.map(b"=1;".join) | PAIRS.map(b"; ".join) | WORDS).map(lambda value: value.strip(b" \t"))
HEADERS = st.lists(st.tuples(CHOSEN | ANY, VALUES), max_size=12)


def parsed(block: bytes) -> Headers:
    """The headers of a block, as a parser reads them: without white space around a value."""
    assert not block or block.endswith(b"\r\n")
    split = [line.partition(b": ") for line in block.split(b"\r\n")[:-1]]
    return [(name, value.strip(b" \t")) for name, _, value in split]


def pairs(value: bytes) -> list[bytes]:
    return [pair.strip(b" \t") for pair in value.split(b";") if pair.strip(b" \t")]


def is_part(some: Iterable[object], of_all: Iterable[object]) -> bool:
    """Whether ``some`` are among ``of_all``, in their order."""
    rest = iter(of_all)
    return all(one in rest for one in some)


def comparable(headers: Headers) -> list[tuple[bytes, bytes]]:
    """One item for each header, but one for each pair of a cookie."""
    return [
        (name, part) for name, value in headers for part in (pairs(value) if name.lower() == b"cookie" else [value])
    ]


@given(headers=HEADERS)
@settings(max_examples=500, deadline=None)
def test_what_goes_on_to_an_app_is_part_of_what_was_sent(headers: Headers) -> None:
    block = lines(headers)
    ranges = cleaning.cuts(headers, RULES)
    edges = [edge for both in ranges for edge in both]
    assert edges == sorted(set(edges)), "in order, none empty, none touching the next"
    assert not edges or (edges[0] >= 0 and edges[-1] <= len(block))
    assert is_part(comparable(parsed(b"".join(block[start:end] for start, end in ranges))), comparable(headers))


@given(headers=HEADERS)
@settings(max_examples=500, deadline=None)
def test_no_cookie_of_ours_goes_on_and_every_other_pair_does(headers: Headers) -> None:
    sent = [(name, value) for name, value in headers if name.lower() == b"cookie"]
    block = lines(sent)
    left = parsed(b"".join(block[start:end] for start, end in cleaning.cuts(sent, RULES)))
    for name in OURS:
        assert not [value for _, value in left if cookies.values(value, name)]
    kept = [pair for _, value in left for pair in pairs(value)]
    others = [pair for _, value in sent for pair in pairs(value) if pair.partition(b"=")[0].strip(b" \t") not in OURS]
    assert kept == others


@given(headers=HEADERS)
@settings(max_examples=500, deadline=None)
def test_what_goes_back_to_a_client_is_part_of_what_was_answered(headers: Headers) -> None:
    assert is_part(parsed(cleaning.outward(headers, OURS)), headers)
    assert is_part(parsed(cleaning.trailers(headers)), headers)
