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

from gateway import check, originals, replies
from gateway.check import Standing
from gateway.model import AccessRequest, Decision, Form, Reply
from gateway.policy import Policy

T = TypeVar("T")
PEOPLE, STRANGERS = 4096, 512
"""Heads that are kept."""
RULES = 40_000
"""Rules that may still decide, in all heads of a table together: an app may have hundreds."""
LONGEST_KEPT = 2048
"""Bytes of a head that is kept; longer ones are read each time."""
VARIES = originals.FORWARDED.uri
_HEADERS = replies.HEADERS | check.HEADERS


class Known(NamedTuple, Generic[T]):
    """One such head: what is asked, but for the path; the standing of whoever asks; what its door wants to remember; and
    what was decided so far, by the position of the rule (0: by none)."""

    request: AccessRequest
    standing: Standing
    more: T
    decided: dict[int, tuple[Decision, Reply | Form | None]]


class Familiar(Generic[T]):
    """Those of one door, or of several. A head is whatever bytes have one reading; the path is taken out of it, and the
    place where it stood is not to be mistaken for another. It is known by its digest."""

    def __init__(self) -> None:
        self._people, self._strangers = Table[T](), Table[T]()
        self._policy: Policy | None = None

    def find(self, head: bytes) -> Known[T] | None:
        """What was read from the same head."""
        digest = blake2b(head, digest_size=32).digest()
        return self._people.get(digest) or self._strangers.get(digest)

    def remember(self, head: bytes, request: AccessRequest, standing: Standing, more: T) -> None:
        """This head was read as ``request``, and its path stood in the one place that was taken out."""
        if standing.policy is not self._policy:  # those of an earlier one never hold again, but keep it alive
            self._people, self._strangers = Table(), Table()
            self._policy = standing.policy
        table, most = (self._people, PEOPLE) if standing.entry is not None else (self._strangers, STRANGERS)
        table.keep(
            blake2b(head, digest_size=32).digest(),
            Known(reduced(request)._replace(path="", uri=""), standing, more, {}),
            most,
        )


class Table(dict[bytes, Known[T]], Generic[T]):
    """Heads by their digests: so many at most, with so many ``rules`` in all. The oldest go first."""

    rules = 0

    def keep(self, digest: bytes, known: Known[T], most: int) -> None:
        """In place of what was there; one that has more rules than there is room for is not kept."""
        self._drop(digest)
        size = _size(known)
        while self and (len(self) >= most or self.rules + size > RULES):
            self._drop(next(iter(self)))
        if size <= RULES:
            self[digest] = known
            self.rules += size

    def _drop(self, digest: bytes) -> None:
        if known := self.pop(digest, None):
            self.rules -= _size(known)


def _size(known: Known[T]) -> int:
    view = known.standing.outlook
    return 1 if view is None else 1 + len(view.rules)


def reduced(request: AccessRequest) -> AccessRequest:
    """What an answer, and a second judgement, may depend on beside credentials and the path; no token is in it."""
    headers = {name: value for name, value in request.headers.items() if name in _HEADERS}
    return request._replace(headers=headers)
