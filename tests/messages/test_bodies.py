"""Where a body ends: at the same byte however it comes, and never beyond it. What is refused: ``vectors/messages.yaml``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messages import bodies
from gateway.messages.bodies import Chunked, Counted
from gateway.messages.heads import LONGEST, MOST, BadMessage, TooLarge

CHUNKS = st.lists(st.binary(min_size=1, max_size=20), max_size=5)
TRAILERS = st.lists(st.sampled_from([b"A: b", b"Cookie: x", b"Hosts: x"]), max_size=3)
BEHIND = b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"


def spelled(chunks: list[bytes], trailers: list[bytes]) -> bytes:
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join([*parts, b"0\r\n", *(line + b"\r\n" for line in trailers), b"\r\n"])


def taken(body: Counted | Chunked, sent: bytes, cuts: list[int]) -> int:
    """How many bytes of ``sent`` are of the body, when it comes cut so."""
    come, total, ends = bytearray(), 0, sorted({*(cut for cut in cuts if cut < len(sent)), len(sent)})
    for start, stop in zip([0, *ends], ends, strict=False):
        come += sent[start:stop]
        size = body.take(come)
        total += size
        del come[:size]
    return total


@given(chunks=CHUNKS, trailers=TRAILERS, cuts=st.lists(st.integers(1, 200)))
def test_a_chunked_body_ends_at_its_last_byte(chunks: list[bytes], trailers: list[bytes], cuts: list[int]) -> None:
    body, sent = Chunked(), spelled(chunks, trailers)
    assert taken(body, sent + BEHIND, cuts) == len(sent)
    assert body.ended


@given(chunks=CHUNKS, trailers=TRAILERS, missing=st.integers(1, 200))
def test_a_chunked_body_has_not_ended_before(chunks: list[bytes], trailers: list[bytes], missing: int) -> None:
    body, sent = Chunked(), spelled(chunks, trailers)
    taken(body, sent[:-missing], [])
    assert not body.ended


@given(length=st.integers(1, 50), cuts=st.lists(st.integers(1, 60)))
def test_a_counted_body_ends_at_its_last_byte(length: int, cuts: list[int]) -> None:
    body = Counted(length)
    assert taken(body, b"x" * length + BEHIND, cuts) == length
    assert body.ended


def test_trailers_have_the_bounds_of_a_head() -> None:
    fits = [b"A: " + b"b" * (LONGEST - 2 - 5)]
    assert taken(Chunked(), spelled([], fits), []) == len(spelled([], fits))
    assert taken(Chunked(), spelled([], [b"A: b"] * (MOST - 1)), []) > MOST
    for trailers in ([fits[0] + b"b"], [b"A: b"] * MOST, [b"A: b" * 1000] * 5):
        with pytest.raises(TooLarge):
            taken(Chunked(), spelled([], trailers), [])


@pytest.mark.parametrize("line", [b"5", b"5\r", b"00000000000000a", b"00000000000000a\r"])
def test_a_size_whose_line_is_not_complete_is_waited_for(line: bytes) -> None:
    assert Chunked().take(bytearray(line)) == 0


@pytest.mark.parametrize("line", [b"0" * 17, b"a" * 30, b"5;" + b"a" * 20])
def test_a_size_whose_line_cannot_end_well_is_not(line: bytes) -> None:
    with pytest.raises(BadMessage):
        Chunked().take(bytearray(line))


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, type(None)),
        ({b"content-length": b"0"}, type(None)),
        ({b"content-length": b"000"}, type(None)),
        ({b"content-length": b"7"}, Counted),
        ({b"transfer-encoding": b"chunked"}, Chunked),
        ({b"upgrade": b"x", b"content-length": b"0"}, type(None)),
    ],
)
def test_a_head_says_which_body_follows(fields: dict[bytes, bytes], kind: type) -> None:
    assert isinstance(bodies.of("1.1", fields), kind)
