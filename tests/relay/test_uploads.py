"""A client's body on its way to an app: the same content, in whatever pieces and chunks it came, in one plain framing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messages import heads
from gateway.messages.bodies import Chunked, Counted
from gateway.messages.heads import BadMessage
from gateway.relay import uploads
from gateway.relay.uploads import LAST, Upload

BEHIND = b"GET /next HTTP/1.1\r\n\r\n"
SPELLED: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"0\r\n\r\n", b""),
    "one chunk": (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "several": (b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", b"hello world"),
    "zeros and capitals": (b"00000B\r\nhello world\r\n000\r\n\r\n", b"hello world"),
    "content that spells a chunk": (b"b\r\n0\r\n\r\n5\r\nhel\r\n0\r\n\r\n", b"0\r\n\r\n5\r\nhel"),
    "trailers": (b"5\r\nhello\r\n0\r\nX-A: b\r\nCookie: x\r\n\r\n", b"hello"),
}


def passed(upload: Upload, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """What goes on, and what was behind the body; once that has ended nothing may be taken."""
    gone = rest = b""
    for piece in pieces:
        if upload.ended:
            rest += piece
        else:
            more, behind = upload.take(piece)
            gone, rest = gone + more, rest + behind
    return gone, rest


def plainly(gone: bytes) -> tuple[bytes, bytes]:
    """The content of a chunked body that has sizes and content and nothing else, and what is behind it."""
    content = b""
    while not gone.startswith(LAST):
        size, mark, gone = gone.partition(b"\r\n")
        assert mark
        assert size == b"%x" % int(size, 16)
        content, end, gone = content + gone[: int(size, 16)], gone[int(size, 16) :][:2], gone[int(size, 16) + 2 :]
        assert end == b"\r\n"
    return content, gone.removeprefix(LAST)


@pytest.mark.parametrize("what", SPELLED)
def test_a_chunked_body_is_framed_anew_in_whatever_pieces_it_comes(what: str) -> None:
    spelled, content = SPELLED[what]
    sent = spelled + BEHIND
    singly = [sent[at : at + 1] for at in range(len(sent))]
    for pieces in (singly, *([sent[:at], sent[at:]] for at in range(len(sent) + 1))):
        upload = uploads.of(Chunked())
        gone, rest = passed(upload, pieces)
        assert upload.ended
        assert plainly(gone) == (content, b"")
        assert rest == BEHIND


@given(chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=5), cuts=st.lists(st.integers(1, 120), max_size=8))
def test_whatever_the_content_it_is_what_arrives(chunks: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + LAST + BEHIND
    ends = sorted({*(cut for cut in cuts if cut < len(sent)), len(sent)})
    gone, rest = passed(uploads.of(Chunked()), [sent[at:to] for at, to in zip([0, *ends], ends, strict=False)])
    assert plainly(gone) == (b"".join(chunks), b"")
    assert rest == BEHIND


@pytest.mark.parametrize("what", SPELLED)
def test_the_end_is_not_passed_on_before_it_has_come(what: str) -> None:
    spelled, _ = SPELLED[what]
    for at in range(len(spelled)):
        upload = uploads.of(Chunked())
        gone, rest = passed(upload, [spelled[:at]])
        assert not upload.ended
        assert rest == b""
        assert plainly(gone + LAST)[1] == b""  # whole chunks, and no last one


@pytest.mark.parametrize(
    "broken",
    [
        b"5;a=b\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloEVIL\r\n0\r\n\r\n",
        b"5\r\nhello\n\r0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n\r\n",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nX: y\nZ: y\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"0\r\nX: " + b"y" * heads.LONGEST + b"\r\n\r\n",
    ],
)
def test_a_body_that_two_programs_read_in_two_ways_is_refused_before_its_end_goes_on(broken: bytes) -> None:
    for pieces in ([broken], [broken[at : at + 1] for at in range(len(broken))]):
        gone, bad = until_refused(uploads.of(Chunked()), pieces)
        assert not gone.endswith(LAST)
        assert "EVIL" not in str(bad)


def until_refused(upload: Upload, pieces: list[bytes]) -> tuple[bytes, BadMessage]:
    gone = b""
    for piece in pieces:
        try:
            gone += upload.take(piece)[0]
        except BadMessage as bad:
            return gone, bad
    raise AssertionError("it was taken")


@pytest.mark.parametrize("length", [1, 5, 11])
def test_a_body_of_a_stated_length_goes_on_as_it_is(length: int) -> None:
    content = b"hello world"[:length]
    sent = content + BEHIND
    for at in range(len(sent) + 1):
        upload = uploads.of(Counted(length))
        assert not upload.ended
        assert passed(upload, [sent[:at], sent[at:]]) == (content, BEHIND)
        assert upload.ended


def test_a_body_that_is_shorter_than_its_length_has_not_ended() -> None:
    upload = uploads.of(Counted(6))
    assert upload.take(b"hello") == (b"hello", b"")
    assert not upload.ended
