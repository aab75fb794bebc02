"""The door of hosts that the gateway carries itself (proxy mode): the same judgement, and then the bytes.

Whoever is let in has an errand made (``onward``), which a ``Carrier`` that ``app`` hands in runs; whoever is not is told so
as through any other proxy. What a browser sends again and again is a head with another path: such a head is read once
(``familiar``). Every open exchange stands in ``open_``, with what is needed to judge it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable, MutableMapping
from itertools import count
from typing import Any, NamedTuple, Protocol

from gateway import direct
from gateway.check import stand
from gateway.cleaning import Origin
from gateway.endpoints import onward
from gateway.endpoints.familiar import LONGEST_KEPT, Familiar, reduced
from gateway.endpoints.forwardauth import Asked, ForwardAuth, Judge
from gateway.endpoints.onward import Names, Onward, Unfit
from gateway.errors import UpstreamFailed
from gateway.forwarded import SECRET_HEADER
from gateway.headers import lines
from gateway.messages.heads import LONGEST, BadMessage
from gateway.messages.request import Errand, Request
from gateway.model import AccessRequest, Allow, Decision, Malformed, Question, Reply
from gateway.observe.floods import Few
from gateway.observe.news import request_id
from gateway.policy import CompiledApp
from gateway.services import rights
from gateway.services.rights import Right

logger = logging.getLogger("gateway.door")
_RESERVED = (b"/auth/", b"/.gateway/")
"""How paths begin that may be the gateway's own on every host."""
_new = tuple.__new__  # a third of what calling the class costs


class Client(Protocol):
    """The client's side of a connection, while it is carried."""

    def take(self, request: Request, patron: Sidecar) -> None: ...
    def wait(self, until: Coroutine[Any, Any, None]) -> None: ...
    def send(self, errand: Errand, head: bytes) -> None: ...
    def say(self, reply: Reply) -> None: ...
    def end(self, decision: Decision | None) -> None: ...
    def leave(self) -> None: ...
    def shutdown(self) -> None: ...


class Carrier(Protocol):
    """Who runs errands."""

    def client(self, transport: asyncio.Transport, home: Any) -> Client: ...


class Home(Protocol):
    """The door that a connection came by."""

    def client(self, carrier: Carrier) -> Client: ...


class Peer(NamedTuple):
    """Who is connected; None and nothing for a Unix socket."""

    name: str | None
    raw: bytes


class Sidecar(ForwardAuth):
    """That door."""

    def __init__(
        self,
        judge: Judge,
        carrier: Carrier,
        open_: MutableMapping[Any, Right],
        names: Names,
        portal_host: str,
        sorry: Callable[[AccessRequest, UpstreamFailed, str], Reply],
    ) -> None:
        super().__init__(direct, judge)
        self.carrier = carrier
        self.failures: dict[str, int] = {}
        self._open, self._names, self._portal_host = open_, names, portal_host
        self._heads = Familiar[Onward]()
        self._numbers = count()
        self._floods, self._sorry = Few("apps that fail"), sorry

    def owns(self, host: str) -> bool | None:
        """Whether the gateway carries this host; None while the policy is not known, and it may."""
        policy = self.judge.cache.policy
        if policy is None:
            return None if host != self._portal_host else False
        app = policy.app(host)
        return app is not None and app.upstream != ""

    def arrived_again(self, home: Home, data: bytes, sender: bytes) -> bool:
        """Whether ``data`` is a whole message of a head that was read before, and memory knows the answer; then it is under
        way."""
        line, _, block = data.partition(b"\r\n")
        method, _, rest = line.partition(b" ")
        uri, _, version = rest.partition(b" ")
        if uri.startswith(_RESERVED) or version != b"HTTP/1.1" or len(data) > LONGEST:
            return False
        known = self._heads.find(_key(method, block, sender))
        try:
            reply = self.again(known, uri) if known is not None else None
        except Exception:  # is asked anew, where it is said
            return False
        if known is None or reply is None:
            return False
        client, plan = home.client(self.carrier), known.more
        client.take(plan.again, self)
        if reply.status == 200:
            self._open[client] = _new(Right, (next(self._numbers), known.request, uri, None, known.standing))
            client.send(plan.errand, onward.head(plan, uri, block, reply.raw))
        else:
            client.say(reply)
        return True

    def arrived(self, home: Home, request: Request, peer: Peer, *, whole: bool = False) -> None:
        """A request came for a host of ours. ``whole``: it is a message with the one reading that may be remembered."""
        client = home.client(self.carrier)
        client.take(request, self)
        try:
            asked = self.read(Question(request.method, request.target, request.headers, peer.name))
            reply = asked if isinstance(asked, Reply) else self.answer(asked)
            if reply is None and isinstance(asked, Asked):
                client.wait(self._later(client, request, asked, peer))
            elif isinstance(asked, Reply):
                client.say(asked)
            elif reply is not None:
                self._go(client, request, asked, reply, peer, whole=whole)
        except Exception:
            client.say(self._broke())

    async def _later(self, client: Client, request: Request, asked: Asked, peer: Peer) -> None:
        try:
            self._go(client, request, asked, await self.cold(asked.request), peer, whole=False)
        except Exception:
            client.say(self._broke())

    def _go(self, client: Client, request: Request, asked: Asked, reply: Reply, peer: Peer, *, whole: bool) -> None:
        policy = self.judge.cache.policy
        app = policy.app(asked.request.host) if policy is not None else None
        if reply.status != 200:
            client.say(reply)
        elif policy is None:
            client.say(self._unavailable("G301", "the rules changed this moment"))
        elif app is None or not app.upstream:
            client.say(self._refuse(Malformed("G140", "there is no such door here", 404)))
        else:
            self._send(client, request, asked, reply, app, peer, whole=whole)

    def _send(
        self, client: Client, request: Request, asked: Asked, reply: Reply, app: CompiledApp, peer: Peer, *, whole: bool
    ) -> None:
        try:
            plan = onward.plan(request, asked.request, app, self._origin(asked.request, peer), self._names)
        except Unfit as unfit:
            client.say(self._refuse(Malformed("G108", str(unfit), unfit.status)))
            return
        if whole:
            self._remember(request, asked, plan, peer)
        kept, shown = reduced(asked.request), rights.without_tokens(asked.shown)
        self._open[client] = Right(next(self._numbers), kept, request.target, shown, None)
        client.send(plan.errand, onward.head(plan, request.target, request.block, lines(reply.headers)))

    def _remember(self, request: Request, asked: Asked, plan: Onward, peer: Peer) -> None:
        if len(request.block) <= LONGEST_KEPT:
            standing = stand(asked.request, asked.shown, self.judge.cache, self.judge.clock())
            if standing is not None:
                head = _key(request.method.encode(), request.block, peer.raw)
                self._heads.remember(head, asked.request, standing, plan)

    def _origin(self, asked: AccessRequest, peer: Peer) -> Origin:
        believed = self.judge.trust.believes(peer.name, asked.headers.get(SECRET_HEADER, b""))
        return Origin(peer.name, asked.scheme, asked.authority, believed)

    # What became of it ------------------------------------------------------------------------------------------------

    def finished(self, client: Hashable) -> None:
        """An exchange is over."""
        self._open.pop(client, None)

    def failed(self, client: Hashable, error: UpstreamFailed) -> Reply:
        """The app did not answer; a person sees a page."""
        self.failures[error.code] = self.failures.get(error.code, 0) + 1
        asked = self._open[client].asked()
        number = self.judge.speech.request_id()
        if self._floods.passes(self.judge.clock().now):
            about = {"host": asked.host, "code": error.code, "problem": error.detail, "request_id": number}
            logger.warning(str(error), extra=about)
        return self._sorry(asked, error, number)

    def refused(self, client: Hashable, bad: BadMessage) -> Reply:
        """The client's body cannot be read."""
        return self._refuse(Malformed(bad.code, str(bad), bad.status))

    def ended(self, client: Hashable, decision: Decision | None) -> tuple[Reply, str]:
        """An exchange that is open may not go on."""
        asked, reason = self._open[client].asked(), "cannot know now whether this may go on"
        if decision is None or isinstance(decision, Allow):
            reply = self._unavailable("G301", reason)
        else:
            reply, reason = self._answer(decision, asked, self.judge.clock().now), decision.reason
        told = {"host": asked.host, "reason": reason, "request_id": request_id(reply)}
        logger.info("what was open is not allowed any more", extra=told)
        return reply, reason

    def _broke(self) -> Reply:
        """Nothing that fails here may become anything but a no; the traceback goes to the log."""
        reply = self._no_answer("G399", "the check failed")
        if self._few.passes(self.judge.clock().now):
            logger.exception("a request could not be judged", extra={"request_id": request_id(reply)})
        return reply


def _key(method: bytes, block: bytes, sender: bytes) -> bytes:
    """Who sent it stands first, where nothing that is sent can be taken for a part of an address."""
    return b"%b %b %b" % (sender, method, block)
