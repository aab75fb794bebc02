"""One request and what the app says to it, as values, and the bytes in which each of them is written."""

from __future__ import annotations

from typing import NamedTuple

Pair = tuple[bytes, bytes]


class Body(NamedTuple):
    """``framing`` says how its end is told: "none", "length", "chunks" or "close". ``sizes``: how chunks say theirs."""

    framing: str = "none"
    parts: tuple[bytes, ...] = ()
    trailers: tuple[bytes, ...] = ()
    sizes: bytes = b"%x"

    @property
    def content(self) -> bytes:
        return b"".join(self.parts)

    @property
    def lines(self) -> tuple[bytes, ...]:
        """What the head says about it."""
        if self.framing == "length":
            return (b"Content-Length: %d" % len(self.content),)
        return (b"Transfer-Encoding: chunked",) if self.framing == "chunks" else ()

    def wire(self) -> bytes:
        if self.framing != "chunks":
            return self.content
        chunks = b"".join((self.sizes % len(part)) + b"\r\n" + part + b"\r\n" for part in self.parts)
        return chunks + (self.sizes % 0) + b"\r\n" + b"".join(line + b"\r\n" for line in self.trailers) + b"\r\n"


class Asked(NamedTuple):
    """``lines`` are all header lines but those about the body, which are written behind them."""

    method: bytes
    target: bytes
    version: bytes
    lines: tuple[bytes, ...]
    body: Body = Body()

    def wire(self) -> bytes:
        first = b"%b %b HTTP/%b" % (self.method, self.target, self.version)
        return b"\r\n".join([first, *self.lines, *self.body.lines, b"", self.body.wire()])

    def says(self, name: bytes) -> list[bytes]:
        """The values of a header, under whatever capital letters."""
        pairs = (line.partition(b":") for line in self.lines)
        return [value.strip(b" \t") for key, _, value in pairs if key.lower() == name]


class Told(NamedTuple):
    """``cuts`` is where it is cut into pieces."""

    version: bytes
    status: int
    reason: bytes
    lines: tuple[bytes, ...]
    body: Body = Body()
    cuts: tuple[int, ...] = ()

    def ends(self, method: bytes) -> bool:
        """Whether the app closes behind it."""
        if self.body.framing == "close" and not self._bodiless(method):
            return True
        about = b",".join(line.lower() for line in self.lines if line.lower().startswith(b"connection:"))
        return b"close" in about or (self.version == b"1.0" and b"keep-alive" not in about)

    def pieces(self, method: bytes) -> list[bytes]:
        first = b"HTTP/%b %d %b" % (self.version, self.status, self.reason)
        head = b"\r\n".join([first, *self.lines, *self.body.lines, b"", b""])
        whole = head + (b"" if self._bodiless(method) else self.body.wire())
        ends = sorted({*(cut for cut in self.cuts if cut < len(whole)), len(whole)})
        return [whole[start:stop] for start, stop in zip([0, *ends], ends, strict=False)]

    def _bodiless(self, method: bytes) -> bool:
        return method == b"HEAD" or self.status in (204, 304)


class Exchange(NamedTuple):
    """``number`` stands in the request, so that the app knows what to say. ``last``: nothing is sent behind it."""

    number: int
    asked: Asked
    told: Told
    last: bool
