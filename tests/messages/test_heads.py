"""Where a head ends, and that a parser which read other bytes than these is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.messages import heads
from gateway.messages.heads import LONGEST, MOST, BadMessage, Head, TooLarge, Twice

RAW = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
READ = Head(RAW, b"GET", b"/x", "1.1", [(b"host", b"a")])


@pytest.mark.parametrize("seen", range(len(RAW)))
def test_a_head_ends_behind_its_first_empty_line_however_much_was_seen(seen: int) -> None:
    assert heads.end(bytearray(RAW[:seen]), 0) == 0
    assert heads.end(bytearray(RAW + RAW), seen) == len(RAW)


def test_a_head_has_its_bounds_to_the_byte() -> None:
    fits = b"GET / HTTP/1.1\r\nA: ".ljust(LONGEST - 4, b"b") + heads.END
    assert heads.end(bytearray(fits), 0) == LONGEST
    assert heads.end(bytearray(fits[:-1]), 0) == 0
    assert heads.end(bytearray(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * MOST + b"\r\n"), 0) > 0
    for raw in (b"b" + fits, b"b" * LONGEST, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MOST + 1) + b"\r\n"):
        with pytest.raises(TooLarge):
            heads.end(bytearray(raw), 0)


def test_what_was_read_is_believed_where_it_is_what_came() -> None:
    assert heads.check(READ) == {b"host": b"a"}


@pytest.mark.parametrize(
    "other",
    [
        {"method": b"POST"},
        {"target": b"/y"},
        {"target": b"/"},
        {"version": "1.0"},
        {"version": "2.0"},
        {"headers": [(b"host", b"a"), (b"a", b"b")]},
        {"headers": []},
        {"raw": b" " + RAW},
        {"raw": b"\r\n" + RAW},
        {"raw": RAW.replace(b"/x ", b"/x  ")},
        {"raw": RAW.replace(b"\r\n\r\n", b"\r\n b\r\n\r\n")},
    ],
    ids=str,
)
def test_a_parser_that_read_something_else_is_not_believed(other: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        heads.check(READ._replace(**other))


@pytest.mark.parametrize("name", heads.ONCE)
def test_what_says_where_a_message_goes_or_ends_is_said_once(name: bytes) -> None:
    raw = RAW.replace(b"\r\n\r\n", b"\r\nA: b\r\nA: b\r\n\r\n")
    with pytest.raises(Twice):
        heads.check(READ._replace(raw=raw, headers=[(b"host", b"a"), (name, b"1"), (name, b"1")]))
