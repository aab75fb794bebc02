"""Where frames end: at the same byte as another implementation writes it, however the bytes come."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.utils import apply_mask

from gateway.relay.frames import Frames, close

SIZES = st.one_of(
    st.integers(0, 10), st.sampled_from([124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537, 200_000])
)
FRAMES = st.lists(st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]), st.booleans(), SIZES))
CUTS = st.lists(st.integers(1, 300_000))


def spelled(frames: list[tuple[Opcode, bool, int]], mask: bool) -> list[bytes]:
    return [Frame(opcode, b"\xff" * size, fin=fin).serialize(mask=mask) for opcode, fin, size in frames]


def pieces(sent: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({*(cut for cut in cuts if cut < len(sent)), len(sent)})
    return [sent[start:stop] for start, stop in zip([0, *ends], ends, strict=False)]


def ends_of(frames: list[bytes]) -> list[int]:
    """Behind which bytes there is a boundary, the very first one included."""
    ends = [0]
    for frame in frames:
        ends.append(ends[-1] + len(frame))
    return ends


@given(frames=FRAMES, mask=st.booleans(), cuts=CUTS)
def test_frames_end_where_they_were_written_to_end(
    frames: list[tuple[Opcode, bool, int]], mask: bool, cuts: list[int]
) -> None:
    written = spelled(frames, mask)
    ends, followed, at = ends_of(written), Frames(), 0
    for piece in pieces(b"".join(written), cuts):
        next_end = min(end for end in ends if end >= at)
        assert followed.boundary_in(piece) == min(next_end - at, len(piece))
        followed.feed(piece)
        at += len(piece)
        assert followed.at_boundary is (at in ends)


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("step", [1, 2, 3, 5, 13])
def test_frames_end_there_however_few_bytes_come_at_a_time(mask: bool, step: int) -> None:
    kinds = [(Opcode.TEXT, True, size) for size in (0, 1, 125, 126, 300, 65535, 65536, 0, 2)]
    written = spelled(kinds, mask)
    sent, ends, followed = b"".join(written), set(ends_of(written)), Frames()
    for at in range(0, len(sent), step):
        followed.feed(sent[at : at + step])
        assert followed.at_boundary is (min(at + step, len(sent)) in ends)


@pytest.mark.parametrize("mask", [True, False])
def test_any_two_pieces_are_as_one(mask: bool) -> None:
    written = spelled([(Opcode.TEXT, True, size) for size in (3, 126, 0, 65536)], mask)
    sent, ends = b"".join(written), ends_of(written)
    for cut in [*range(200), *range(len(sent) - 100 - 65536, len(sent) - 65536 + 100), len(sent)]:
        followed = Frames()
        followed.feed(sent[:cut])
        assert followed.at_boundary is (cut in ends)
        assert followed.boundary_in(sent[cut:]) == min(end for end in ends if end >= cut) - cut
        followed.feed(sent[cut:])
        assert followed.at_boundary


def test_asking_where_a_frame_ends_changes_nothing() -> None:
    frame = Frame(Opcode.BINARY, b"a" * 300).serialize(mask=True)
    followed = Frames()
    followed.feed(frame[:3])
    assert [followed.boundary_in(frame[3:]) for _ in range(2)] == [len(frame) - 3] * 2
    assert not followed.at_boundary
    followed.feed(frame[3:])
    assert followed.at_boundary


def test_nothing_comes_and_nothing_changes() -> None:
    frame = Frame(Opcode.BINARY, b"a" * 300).serialize(mask=True)
    for cut in range(len(frame)):
        followed = Frames()
        followed.feed(frame[:cut])
        followed.feed(b"")
        assert followed.boundary_in(frame[cut:] + frame) == (len(frame) - cut if cut else 0)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x82\x7e\x00\x02ab", id="a short length, written long"),
        pytest.param(b"\x82\x7f" + bytes(8), id="no length, written longest"),
        pytest.param(b"\x89\x7e\x00\x80" + b"p" * 128, id="a ping that is too long"),
        pytest.param(b"\xff\x83\x00\x00\x00\x00abc", id="every bit that means nothing"),
    ],
)
def test_a_senseless_frame_is_as_long_as_it_says(frame: bytes) -> None:
    followed = Frames()
    followed.feed(frame[:-1])
    assert not followed.at_boundary
    assert followed.boundary_in(frame[-1:] + b"\x81") == 1
    followed.feed(frame[-1:])
    assert followed.at_boundary


@pytest.mark.parametrize("length", [2**63, 2**64 - 1])
def test_behind_a_length_that_nobody_may_send_there_is_no_boundary(length: int) -> None:
    followed = Frames()
    followed.feed(b"\x82\xff" + length.to_bytes(8) + b"\x00" * 1000)
    for _ in range(3):
        followed.feed(b"\x81\x00" * 5000)
        assert not followed.at_boundary
        assert followed.boundary_in(b"\x81\x00") == 2


def payload_of(frame: bytes) -> bytes:
    """What a Close frame carries, as another implementation reads it."""
    assert frame[0] == 0x88
    if not frame[1] & 0x80:
        assert len(frame) == 2 + frame[1]
        return frame[2:]
    assert len(frame) == 6 + (frame[1] & 127)
    return apply_mask(frame[6:], frame[2:6])


@pytest.mark.parametrize("masked", [True, False])
@given(reason=st.text(max_size=200))
@example(reason="x" * 124)
@example(reason="\u00e9" * 62)
@example(reason="x" + "\U0001f600" * 31)
def test_a_close_frame_says_its_code_and_as_much_of_the_reason_as_fits(masked: bool, reason: str) -> None:
    frame = close(1008, reason, masked=masked)
    assert bool(frame[1] & 0x80) is masked
    assert frame[1] & 127 <= 125
    said = Close.parse(payload_of(frame))
    assert said.code == 1008
    assert reason.startswith(said.reason)
    assert said.reason == reason or len((said.reason + reason[len(said.reason)]).encode()) > 123


def test_no_two_close_frames_of_a_client_have_one_mask() -> None:
    assert len({close(1001, "", masked=True)[2:6] for _ in range(20)}) > 1
    assert close(1001, "", masked=False) == b"\x88\x02\x03\xe9"


def test_a_reason_that_is_not_text_is_still_said() -> None:
    assert Close.parse(payload_of(close(1008, "a\ud800b", masked=False))).reason == "a?b"
