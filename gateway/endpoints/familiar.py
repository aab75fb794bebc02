"""Questions that were read before: the fifty that a page sends at once differ in nothing but what ``X-Forwarded-Uri`` says.

What the rest of such a message says is a pure function of its bytes, so it is read once and kept: the original request
without its path, and the standing of whoever asks (``check``), which is good as long as memory holds the very facts that
it was made from. Each question is judged by its path, now; where the standing does not hold any more, all is read again.

A head is known by a digest of its bytes; no token is kept, nor any header but the few that an answer depends on.
Bounded, those who proved to be somebody apart from everybody else, so that strangers push out only strangers.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

from gateway import originals, replies
from gateway.check import Standing
from gateway.endpoints.heads import LONGEST
from gateway.model import AccessRequest

T = TypeVar("T")
PEOPLE, STRANGERS = 4096, 512
"""Heads that are kept."""
LONGEST_KEPT = 2048
"""Bytes of a head that is kept; longer ones are read each time."""
VARIES = originals.FORWARDED.uri


class Known(NamedTuple, Generic[T]):
    """One such head: what is asked, but for the path; the standing of whoever asks; and what its door wants to remember."""

    request: AccessRequest
    standing: Standing
    more: T


class Familiar(Generic[T]):
    """Those of one door, or of many that write heads alike: the path stands between one of ``marks`` and ``end``.

    Heads must have one reading: no header twice, and neither mark nor end within a name or a value.
    """

    def __init__(self, marks: tuple[bytes, ...], end: bytes) -> None:
        self._marks, self._end = marks, end
        self._people: dict[bytes, Known[T]] = {}
        self._strangers: dict[bytes, Known[T]] = {}

    def find(self, head: bytes, peer: bytes) -> tuple[Known[T], bytes] | None:
        """What ``head`` differs from in its path only, and that path as it was sent; ``peer`` sent it."""
        start, end = self._place(head)
        if not start:
            return None
        digest = blake2b(head[:start] + head[end:] + peer, digest_size=32).digest()
        known = self._people.get(digest) or self._strangers.get(digest)
        return None if known is None else (known, head[start:end])

    def remember(self, head: bytes, peer: bytes, request: AccessRequest, standing: Standing, more: T) -> None:
        """``head`` was read as ``request``, whose path stands at a mark and nowhere else."""
        start, end = self._place(head)
        if not start or len(head) > LONGEST_KEPT:
            return
        table, most = (self._people, PEOPLE) if standing.entry is not None else (self._strangers, STRANGERS)
        if len(table) >= most:
            del table[next(iter(table))]
        digest = blake2b(head[:start] + head[end:] + peer, digest_size=32).digest()
        table[digest] = Known(_reduced(request), standing, more)

    def _place(self, head: bytes) -> tuple[int, int]:
        """Where the path stands; nowhere (0) where there is none. The mark stays in what is digested, so that what is left
        has one reading: such a head, and the place in it."""
        for mark in self._marks:
            start = head.find(mark) + len(mark)
            if start >= len(mark):
                end = head.find(self._end, start)
                return (start, end) if end > start and len(head) <= LONGEST else (0, 0)
        return 0, 0


def _reduced(request: AccessRequest) -> AccessRequest:
    """What an answer may depend on beside the standing and the path."""
    headers = {name: value for name, value in request.headers.items() if name in replies.HEADERS}
    return request._replace(headers=headers, path="", uri="")
