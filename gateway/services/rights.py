"""By what right an exchange is open, and whether it still is: judged again with what was kept of it, which has no token.

Being judged again is no use of a session: it moves no idle deadline.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway import target
from gateway.cache import Cache
from gateway.check import Moment, Standing, stand, stands, weigh
from gateway.credentials import Shown
from gateway.model import AccessRequest, Allow, Decision
from gateway.services.decide import Clock, patiently
from gateway.services.recall import Recall


class Right(NamedTuple):
    """Of one ``exchange`` (a number): what was asked (in a head that was read before the path is missing, and stands in
    ``target``), the credentials without their tokens (None: the one of the standing), and the standing, if there is one."""

    exchange: int
    request: AccessRequest
    target: bytes
    shown: Shown | None
    standing: Standing | None

    def asked(self) -> AccessRequest:
        """The request, whole."""
        if self.request.uri:
            return self.request
        uri, path = target.uri(self.target)
        return self.request._replace(uri=uri, path=path.path, unclear=path.unclear)

    def credentials(self) -> Shown:
        """What was shown."""
        if self.shown is not None:
            return self.shown
        key = self.standing.key if self.standing is not None else None
        return (((key, None),),) if key is not None else ()


def without_tokens(shown: Shown) -> Shown:
    """The credentials alone."""
    return tuple(tuple((credential, None) for credential, _ in kind) for kind in shown)


def holds(right: Right, cache: Cache, moment: Moment) -> bool:
    """Whether nothing has changed since it was judged."""
    return right.standing is not None and stands(right.standing, cache, moment)


def renewed(right: Right, cache: Cache, moment: Moment) -> Right:
    """After it was found good. By what, memory may not know any more, or know better: only what memory itself lets in is
    not judged again until something changes."""
    asked, shown = right.asked(), right.credentials()
    lets_in = isinstance(weigh(asked, shown, cache, moment), Allow)
    return Right(right.exchange, asked, right.target, shown, stand(asked, shown, cache, moment) if lets_in else None)


async def judge(right: Right, cache: Cache, recall: Recall, clock: Clock) -> Decision:
    """The decision, or Unavailable; from memory where that knows."""
    asked, shown = right.asked(), right.credentials()
    return await patiently(lambda view: weigh(asked, shown, view, clock()), cache, recall, clock)
