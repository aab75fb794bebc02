"""The cases of the Autobahn TestSuite (its fuzzing client, sections 1 to 7, 9 and 10), as data of our own.

Numbers are the suite's (https://github.com/crossbario/autobahn-testsuite); its text says what is sent and what has to come
back, and that was written anew here. Two things differ. Where the suite waits some time, or accepts several outcomes that
depend on time, the client here waits for frames. Sizes of section 9 are bounded, so that all of it takes seconds. Sections
12 and 13 are ``autobahn_deflate``; 0 and 8 are empty in the suite, and 11 does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from relay.autobahn import BINARY, CLOSE, CONTINUATION, NORMAL, PING, PONG, TEXT, chops, frame
from relay.autobahn_utf8 import KOSME, SEQUENCES, is_valid

Step = bytes | int
"""Octets in one write, or how many frames have to have come in all before it goes on."""
HELLO = b"Hello, world!"
GOODBYE = frame(CLOSE, NORMAL)
ODD = bytes.fromhex("00fffefdfcfb00ff")
_FRAGMENTS = 4096
"""The most fragments, or chops, of one message."""


class Case(NamedTuple):
    """One case. ``steps`` makes them anew at each call; ``code`` is how the peer has to close, None: as it likes."""

    number: str
    steps: Callable[[], Iterable[Step]]
    code: int | None


def cases() -> Iterator[Case]:
    """All of them."""
    for section in (_framing, _pings, _reserved_bits, _opcodes, _fragmentation, _utf8, _invalid, _closing, _limits):
        yield from section()


def _well(number: str, *steps: Step) -> Case:
    """It ends with a goodbye of the client's."""
    return Case(number, lambda: (*steps, GOODBYE), 1000)


def _ended(number: str, *steps: Step, code: int | None = 1002) -> Case:
    """It ends by what was sent."""
    return Case(number, lambda: steps, code)


def _framing() -> Iterator[Case]:
    for place, (opcode, sign) in enumerate(((TEXT, b"*"), (BINARY, b"\xfe")), 1):
        for order, size in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
            yield _well(f"1.{place}.{order}", frame(opcode, sign * size), 1)
        yield _well(f"1.{place}.8", *chops(frame(opcode, sign * 65536), 997), 1)


def _pings() -> Iterator[Case]:
    longest, many = frame(PING, b"\xfe" * 125), [frame(PING, b"payload-%d" % count) for count in range(10)]
    for order, payload in enumerate((b"", HELLO, ODD, b"\xfe" * 125), 1):
        yield _well(f"2.{order}", frame(PING, payload), 1)
    yield _ended("2.5", frame(PING, b"\xfe" * 126))
    yield _well("2.6", *chops(longest, 1), 1)
    yield _well("2.7", frame(PONG))
    yield _well("2.8", frame(PONG, b"unsolicited pong payload"))
    yield _well("2.9", frame(PONG, b"unsolicited pong payload"), frame(PING, b"ping payload"), 1)
    yield _well("2.10", *many, 10)
    yield _well("2.11", *chops(b"".join(many), 1), 10)


def _reserved_bits() -> Iterator[Case]:
    first, ping = frame(TEXT, HELLO), frame(PING)
    yield _ended("3.1", frame(TEXT, HELLO, rsv=1))
    yield _ended("3.2", first, 1, frame(TEXT, HELLO, rsv=2) + ping)
    yield _ended("3.3", first, 1, frame(TEXT, HELLO, rsv=3), ping)
    yield _ended("3.4", *chops(first, 1), 1, *chops(frame(TEXT, HELLO, rsv=4) + ping, 1))
    yield _ended("3.5", frame(BINARY, ODD, rsv=5))
    yield _ended("3.6", frame(PING, HELLO, rsv=6))
    yield _ended("3.7", frame(CLOSE, rsv=7))


def _opcodes() -> Iterator[Case]:
    first, ping = frame(TEXT, HELLO), frame(PING)
    for place, opcode in ((1, 3), (2, 11)):
        senseless = [frame(opcode + more, HELLO if more % 2 or more == 4 else b"") for more in range(5)]
        yield _ended(f"4.{place}.1", senseless[0])
        yield _ended(f"4.{place}.2", senseless[1])
        yield _ended(f"4.{place}.3", first, 1, senseless[2] + ping)
        yield _ended(f"4.{place}.4", first, 1, senseless[3] + ping)
        yield _ended(f"4.{place}.5", *chops(first, 1), 1, *chops(senseless[4] + ping, 1))


def _fragmentation() -> Iterator[Case]:
    one, two = frame(TEXT, b"fragment1", fin=False), frame(CONTINUATION, b"fragment2")
    ping = frame(PING, b"ping payload")
    for order, opcode in enumerate((PING, PONG), 1):
        yield _ended(f"5.{order}", frame(opcode, b"fragment1", fin=False), two)
    for number, steps in _chopped(3, [one, two]):
        yield _well(number, *steps, 1)
    for number, steps in _chopped(6, [one, ping, two]):
        yield _well(number, *steps, 2)
    for start, fin in ((9, True), (12, False)):
        nothing = frame(CONTINUATION, b"non-continuation payload", fin=fin)
        for number, steps in _chopped(start, [nothing, frame(TEXT, HELLO)]):
            yield _ended(number, *steps)
    three, four = frame(CONTINUATION, b"fragment3", fin=False), frame(TEXT, b"fragment4")
    yield _ended("5.15", one + two, 1, three + four)
    for number, fin in (("5.16", False), ("5.17", True)):
        yield _ended(number, *[frame(CONTINUATION, b"fragment1", fin=fin) + one + two] * 2)
    yield _ended("5.18", one + frame(TEXT, b"fragment2"))
    part = partial(frame, CONTINUATION, fin=False)
    before = (one, part(b"fragment2"), frame(PING, b"pongme 1!"))
    after = (part(b"fragment3"), part(b"fragment4"), frame(PING, b"pongme 2!"), frame(CONTINUATION, b"fragment5"))
    yield _well("5.19", b"".join(before), 1, b"".join(after), 3)
    yield _well("5.20", *before, 1, *after, 3)


def _chopped(start: int, frames: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """The same frames in one chop, in a chop each, in a chop for each octet: numbered."""
    together = b"".join(frames)
    for number, steps in enumerate(([together], frames, list(chops(together, 1))), start):
        yield f"5.{number}", steps


def _utf8() -> Iterator[Case]:
    text, fine = "Hello-µ@ßöäüàá-UTF-8!!".encode(), "Hello-µ@ßöä".encode()
    yield _well("6.1.1", frame(TEXT), 1)
    for order, middle in ((2, b""), (3, b"middle frame payload")):
        yield _well(f"6.1.{order}", *_fragments(TEXT, (b"", middle, b"")), 1)
    yield _well("6.2.1", frame(TEXT, text), 1)
    yield _well("6.2.2", *_fragments(TEXT, (fine, text[len(fine) :])), 1)
    yield _well("6.2.3", *_fragments(TEXT, chops(text, 1)), 1)
    yield _well("6.2.4", *_fragments(TEXT, chops(KOSME, 1)), 1)
    for section, sequences in SEQUENCES.items():
        for order, octets in enumerate(sequences, 1):
            number, sent = f"6.{section}.{order}", frame(TEXT, octets)
            yield _well(number, sent, 1) if is_valid(octets) else _ended(number, sent, code=1007)


def _invalid() -> Iterator[Case]:
    surrogate, beyond = KOSME + bytes.fromhex("eda080") + b"edited", KOSME + bytes.fromhex("f4908080") + b"edited"
    yield _ended("6.3.1", frame(TEXT, surrogate), code=1007)
    yield _ended("6.3.2", *_fragments(TEXT, chops(surrogate, 1)), code=1007)
    for order, cuts in ((1, (11, 15)), (2, (12, 13))):
        first, last = cuts
        whole = frame(TEXT, beyond)
        head = len(whole) - len(beyond)
        yield _ended(f"6.4.{order}", *_fragments(TEXT, (beyond[:first], beyond[first:last], beyond[last:])), code=1007)
        chopped = (whole[: head + first], whole[head + first : head + last], whole[head + last :])
        yield _ended(f"6.4.{order + 2}", *chopped, code=1007)


def _closing() -> Iterator[Case]:
    message = frame(TEXT, b"Hello World!")
    long, fragment = frame(TEXT, b"BAsd7&jh23" * 26214 + b"BAsd"), frame(TEXT, b"fragment1", fin=False)
    yield _well("7.1.1", message, 1)
    for order, more in ((2, frame(CLOSE)), (3, frame(PING)), (4, message)):
        yield _ended(f"7.1.{order}", GOODBYE + more, code=1000)
    yield _ended("7.1.5", fragment + GOODBYE + frame(CONTINUATION, b"fragment2"), code=None)  # 1000, or 1002 as here
    yield _ended("7.1.6", long, message, 2, GOODBYE + frame(PING), code=1000)
    yield _ended("7.3.1", frame(CLOSE), code=None)
    yield _ended("7.3.2", frame(CLOSE, b"a"))
    for order, reason in enumerate((b"", b"Hello World!", b"*" * 123), 3):
        yield _ended(f"7.3.{order}", frame(CLOSE, NORMAL + reason), code=1000)
    yield _ended("7.3.6", frame(CLOSE, NORMAL + b"*" * 124))
    yield _ended("7.5.1", frame(CLOSE, NORMAL + KOSME + bytes.fromhex("eda080") + b"edited"), code=1007)
    for order, code in enumerate((*range(1000, 1004), *range(1007, 1012), 3000, 3999, 4000, 4999), 1):
        yield _ended(f"7.7.{order}", frame(CLOSE, code.to_bytes(2)), code=code)
    for order, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield _ended(f"7.9.{order}", frame(CLOSE, code.to_bytes(2)))
    for order, code in enumerate((5000, 65535), 1):
        yield _ended(f"7.13.{order}", frame(CLOSE, code.to_bytes(2)), code=None)


def _limits() -> Iterator[Case]:
    sizes = [1 << shift for shift in (16, 18, 20, 22, 23, 24)]
    fragments = [1 << shift for shift in (6, 8, 10, 12, 14, 16, 18, 20, 22)]
    for place, (opcode, sign) in enumerate(((TEXT, b"*"), (BINARY, b"\xfe")), 1):
        for order, size in enumerate(sizes, 1):
            yield Case(f"9.{place}.{order}", partial(_whole, opcode, sign, size), 1000)
        for order, size in enumerate(fragments, 1):
            yield Case(f"9.{place + 2}.{order}", partial(_in_fragments, opcode, sign, size), 1000)
        for order, size in enumerate((64, 128, 256, 512, 1024, 2048), 1):
            yield Case(f"9.{place + 4}.{order}", partial(_in_chops, opcode, sign, size), 1000)
        for order, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            yield Case(f"9.{place + 6}.{order}", partial(_one_by_one, opcode, sign, size), 1000)
    yield Case("10.1.1", lambda: [*_fragments(TEXT, chops(b"*" * 65536, 1300)), 1, GOODBYE], 1000)


def _whole(opcode: int, sign: bytes, size: int) -> Iterator[Step]:
    yield frame(opcode, sign * size)
    yield 1
    yield GOODBYE


def _in_fragments(opcode: int, sign: bytes, size: int) -> Iterator[Step]:
    yield from _fragments(opcode, chops(sign * min(1 << 22, size * _FRAGMENTS), size))
    yield 1
    yield GOODBYE


def _in_chops(opcode: int, sign: bytes, size: int) -> Iterator[Step]:
    yield from chops(frame(opcode, sign * min(1 << 20, size * _FRAGMENTS)), size)
    yield 1
    yield GOODBYE


def _one_by_one(opcode: int, sign: bytes, size: int) -> Iterator[Step]:
    """The suite sends a thousand."""
    for count in range(1, 101):
        yield frame(opcode, sign * size)
        yield count
    yield GOODBYE


def _fragments(opcode: int, payloads: Iterable[bytes]) -> Iterator[bytes]:
    """One message, a frame for each payload."""
    parts = list(payloads)
    for order, payload in enumerate(parts, 1):
        yield frame(opcode if order == 1 else CONTINUATION, payload, fin=order == len(parts))
