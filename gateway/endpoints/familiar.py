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
        self._people: dict[bytes, Known[T]] = {}
        self._strangers: dict[bytes, Known[T]] = {}
        self._rules = {id(self._people): 0, id(self._strangers): 0}
        self._policy: Policy | None = None

    def find(self, head: bytes) -> Known[T] | None:
        """What was read from the same head."""
        digest = blake2b(head, digest_size=32).digest()
        return self._people.get(digest) or self._strangers.get(digest)

    def remember(self, head: bytes, request: AccessRequest, standing: Standing, more: T) -> None:
        """This head was read as ``request``, and its path stood in the one place that was taken out."""
        if standing.policy is not self._policy:  # those of an earlier one never hold again, but keep it alive
            self._forget()
            self._policy = standing.policy
        known, digest = Known(_reduced(request), standing, more, {}), blake2b(head, digest_size=32).digest()
        if standing.entry is not None:
            self._keep(self._people, PEOPLE, digest, known)
        else:
            self._keep(self._strangers, STRANGERS, digest, known)

    def _keep(self, table: dict[bytes, Known[T]], most: int, digest: bytes, known: Known[T]) -> None:
        """The oldest go where there are too many, or too many rules in all of them."""
        self._drop(table, digest)
        self._rules[id(table)] += _size(known)
        while table and (len(table) >= most or self._rules[id(table)] > RULES):
            self._drop(table, next(iter(table)))
        if self._rules[id(table)] <= RULES:
            table[digest] = known
        else:
            self._rules[id(table)] -= _size(known)

    def _drop(self, table: dict[bytes, Known[T]], digest: bytes) -> None:
        if known := table.pop(digest, None):
            self._rules[id(table)] -= _size(known)

    def _forget(self) -> None:
        self._people.clear()
        self._strangers.clear()
        self._rules = dict.fromkeys(self._rules, 0)


def _size(known: Known[T]) -> int:
    view = known.standing.outlook
    return 1 if view is None else 1 + len(view.rules)


def _reduced(request: AccessRequest) -> AccessRequest:
    """What an answer may depend on beside the standing and the path."""
    headers = {name: value for name, value in request.headers.items() if name in replies.HEADERS}
    return request._replace(headers=headers, path="", uri="")
