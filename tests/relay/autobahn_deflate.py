"""Sections 12 and 13 of the Autobahn TestSuite (https://github.com/crossbario/autobahn-testsuite): compressed messages.

permessage-deflate (RFC 7692) is agreed on in the handshake, each message is compressed here, and what comes back is what
the peer compressed. Section 12 has the default offer and five kinds of content, section 13 one content and seven offers.
The suite sends a thousand messages of each size; here they are as many as fit in a bounded number of octets.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from relay.autobahn import BINARY, CONTINUATION, TEXT, Conversation, frame

_SIZES = (16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072)
_FRAGMENTED = (*((size, 256) for size in _SIZES[5:]), (131072, 1024), (131072, 4096), (131072, 32768))
SHAPES = (*((size, 0) for size in _SIZES), *_FRAGMENTED)
"""The size of a message, and of the fragments that it is sent in (0: it is not)."""
OFFERS = (
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=15; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=15; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits, "
    "permessage-deflate; server_no_context_takeover; client_max_window_bits, permessage-deflate; client_max_window_bits",
)
_TOTAL = 65536
_TAIL = b"\x00\x00\xff\xff"


class Deflated(NamedTuple):
    """One case: what is offered, and the messages."""

    number: str
    offer: str
    opcode: int
    content: bytes
    size: int
    fragment: int

    @property
    def messages(self) -> list[bytes]:
        """One behind the other out of the content, which starts again where it ends; ASCII is UTF-8 wherever it is cut."""
        count = max(2, min(32, _TOTAL // self.size))
        endless = self.content * (self.size * count // len(self.content) + 1)
        return [endless[self.size * number : self.size * (number + 1)] for number in range(count)]

    def play(self, talk: Conversation) -> None:
        """Send each message when the last has come back."""
        packer = Packer(_extension(talk))
        for count, message in enumerate(self.messages, 1):
            for part in _frames(self.opcode, packer.pack(message), self.fragment):
                talk.send(part)
            talk.until(count)


class Packer:
    """The client's half of RFC 7692 section 7.2.1, under the terms of the server's answer."""

    def __init__(self, terms: dict[str, str]) -> None:
        self._bits = int(terms.get("client_max_window_bits") or 15)
        self._forgets = "client_no_context_takeover" in terms
        self._deflate = self._fresh()

    def pack(self, message: bytes) -> bytes:
        if self._forgets:
            self._deflate = self._fresh()
        return (self._deflate.compress(message) + self._deflate.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)

    def _fresh(self) -> zlib._Compress:
        return zlib.compressobj(wbits=-self._bits)


def unpacked(talk: Conversation) -> list[bytes]:
    """The messages that came back, opened again."""
    terms = _extension(talk)
    bits = -int(terms.get("server_max_window_bits") or 15)
    inflate, found = zlib.decompressobj(wbits=bits), []
    for came in talk.frames:
        assert came.rsv == 4
        if "server_no_context_takeover" in terms:
            inflate = zlib.decompressobj(wbits=bits)
        found.append(inflate.decompress(came.payload + _TAIL))
    return found


def cases() -> Iterator[Deflated]:
    for place, (opcode, content) in enumerate(_contents(), 1):
        for order, (size, fragment) in enumerate(SHAPES, 1):
            yield Deflated(f"12.{place}.{order}", OFFERS[0], opcode, content, size, fragment)
    for place, offer in enumerate(OFFERS, 1):
        for order, (size, fragment) in enumerate(SHAPES, 1):
            yield Deflated(f"13.{place}.{order}", offer, TEXT, _JSON, size, fragment)


def _contents() -> Iterator[tuple[int, bytes]]:
    """As different as the suite's: JSON, a picture, prose, HTML, and what cannot be compressed."""
    yield TEXT, _JSON
    yield BINARY, bytes(row * column >> 8 & 255 for row in range(512) for column in range(512))
    yield BINARY, " ".join(_WORDS).encode()
    yield TEXT, "".join(f"<li class=w{len(word)}>{word}</li>" for word in _WORDS).encode()
    yield BINARY, hashlib.shake_128(b"nothing to find in here").digest(_TOTAL)


_FAUST = ("Wer", "immer", "strebend", "sich", "bemueht", "den", "koennen", "wir", "erloesen")
_WORDS = [_FAUST[place**3 % 31 % len(_FAUST)] for place in range(9999)]
_JSON = json.dumps([{"id": place, "word": word} for place, word in enumerate(_WORDS)]).encode()


def _frames(opcode: int, packed: bytes, size: int) -> Iterator[bytes]:
    """One compressed message; RSV1 is in the first frame alone (RFC 7692 section 6)."""
    size = size or max(1, len(packed))
    for at in range(0, len(packed), size):
        last = at + size >= len(packed)
        yield frame(CONTINUATION if at else opcode, packed[at : at + size], fin=last, rsv=0 if at else 4)


def _extension(talk: Conversation) -> dict[str, str]:
    (line,) = (line for line in talk.handshake if line.lower().startswith("sec-websocket-extensions:"))
    name, *terms = (part.strip() for part in line.partition(":")[2].split(";"))
    assert name == "permessage-deflate"
    return {key: value for key, _, value in (term.partition("=") for term in terms)}
