"""Where WebSocket frames end (RFC 6455 section 5.2), so that a stream can be ended between two of them.

Pure. Payloads are not looked at, and nothing is judged: who reads the frames does that. So a senseless frame is as long as
it says that it is; one of 2**63 bytes or more, which no peer may send, never ends, and there is no boundary behind it.
"""

from __future__ import annotations

import secrets

GOING_AWAY = 1001
"""The code of a Close frame (RFC 6455 section 7.4.1): whoever sends it leaves."""
_LONGEST_REASON = 123
_CLOSE = 0x88
_MASKED = 0x80
_SHORT = tuple(2 + (second >> 7) * 4 + (second & 127) if second & 127 < 126 else 0 for second in range(256))
"""The length of a whole frame by its second byte, where that says it."""
_LENGTHS = {126: 2, 127: 8}
"""How many bytes the length has, where the second byte does not say it itself."""


class Frames:
    """One direction of a WebSocket: how much of the frame under way is still to come."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head = b""  # what has come of a head that does not say yet how long its frame is: at most 9 bytes
        self._left = 0

    @property
    def at_boundary(self) -> bool:
        """Whether the last frame has wholly come, and nothing of the next."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> None:
        """So much more has come: one step a frame, however long."""
        at, size = self._end(data), len(data)
        if at < 0:
            self._head += data
            return
        self._head = b""
        while at < size:
            length = _length(data, at)
            if not length:
                self._head = data[at:]
                break
            at += length
        self._left = max(0, at - size)

    def boundary_in(self, data: bytes) -> int:
        """How many bytes of ``data``, which comes next, are of the frame under way: all, where it does not end in there."""
        end = self._end(data)
        return min(end, len(data)) if end >= 0 else len(data)

    def _end(self, data: bytes) -> int:
        """How far behind the start of ``data`` the frame under way ends, or -1 where that is not said yet."""
        if not self._head:
            return self._left
        length = _length(self._head + data[:9], 0)
        return length - len(self._head) if length else -1


def close(code: int, reason: str, *, masked: bool) -> bytes:
    """A Close frame; ``masked`` as a client has to send it, the reason cut to what fits, behind a whole character."""
    said = reason.encode(errors="replace")[:_LONGEST_REASON].decode(errors="ignore")
    payload = code.to_bytes(2) + said.encode()
    if not masked:
        return bytes((_CLOSE, len(payload))) + payload
    key = secrets.token_bytes(4)
    return bytes((_CLOSE, _MASKED | len(payload))) + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


def _length(data: bytes, at: int) -> int:
    """The length of the whole frame that begins at ``at``, or 0 where its head does not say it yet."""
    if len(data) - at < 2:
        return 0
    second = data[at + 1]
    if short := _SHORT[second]:
        return short
    behind = at + 2 + _LENGTHS[second & 127]
    if len(data) < behind:
        return 0
    return behind - at + (4 if second & _MASKED else 0) + int.from_bytes(data[at + 2 : behind])
