"""The hot door, portable: a bare ASGI callable for each dialect, with no middleware before it.

A warm check is answered without an await. A cold one waits here, and nowhere else. Whatever goes wrong ends in "no":
503 with a request id, never an exception's text.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple, TypeVar

from starlette.types import Receive, Scope, Send

from gateway import credentials, probes, replies, signals, target
from gateway.cache import Cache
from gateway.check import NOWHERE, Moment, stand, stands, weigh
from gateway.credentials import CookieNames, Shown
from gateway.endpoints.familiar import LONGEST_KEPT, VARIES, Familiar, Known
from gateway.errors import GatewayError
from gateway.forwarded import Trust
from gateway.headers import lines
from gateway.model import (
    AccessRequest,
    Allow,
    Challenge,
    Decision,
    Deny,
    Form,
    Headers,
    Malformed,
    Missing,
    Question,
    Reply,
)
from gateway.observe.floods import Few
from gateway.observe.news import request_id
from gateway.policy import Open, conclude, pick
from gateway.replies import Speech
from gateway.services.decide import decide
from gateway.services.recall import Recall

logger = logging.getLogger("gateway.door")
_LET_IN = signals.decided["allow"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Judge:
    """Everything a hot door needs, made once by ``app``."""

    cache: Cache
    recall: Recall
    trust: Trust
    names: CookieNames
    clock: Callable[[], Moment]
    speech: Speech


class Asked(NamedTuple):
    """A question that was read: the original request, and the credentials that it shows."""

    request: AccessRequest
    shown: Shown


class ForwardAuth:
    """The door of one dialect."""

    def __init__(self, dialect: ModuleType, judge: Judge) -> None:
        self.dialect = dialect
        self.judge = judge
        self.name = dialect.PATH.strip("/").rpartition("/")[2]
        self._outcomes = {kind: _outcome(kind, self.name) for kind in (Allow, Challenge, Deny)}
        self.varies = dialect.VARIES == VARIES
        self._familiar = Familiar[None]()
        self._few = Few("failed checks")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = self._reply(scope)
            if not isinstance(reply, Reply):
                reply = await self.cold(reply)
        except Exception:
            # Nothing that fails here may become anything but a no; the traceback goes to the log, never to the caller.
            reply = self._no_answer("G399", "the check failed")
            if self._few.passes(self.judge.clock().now):
                logger.exception("a check failed", extra={"request_id": request_id(reply)})
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _reply(self, scope: Scope) -> Reply | AccessRequest:
        """The answer from memory, or the request that has to wait for it. Awaits nothing."""
        headers, peer = scope["headers"], scope["client"][0] if scope["client"] else None
        head, uri = _cut(headers, peer) if self.varies else (b"", b"")
        known = self._familiar.find(head) if head else None
        if known is not None and (reply := self.again(known, uri)) is not None:
            return reply
        target = scope["raw_path"] + b"?" + scope["query_string"] if scope["query_string"] else scope["raw_path"]
        asked = self.read(Question(scope["method"], target, headers, peer))
        if isinstance(asked, Reply):
            return asked
        reply = self.answer(asked)
        if reply is not None and head:
            self.remember(self._familiar, head, asked, None)
        return asked.request if reply is None else reply

    def remember(self, familiar: Familiar[T], head: bytes, asked: Asked, more: T) -> None:
        """Have this head known, if its sender has a standing."""
        standing = None
        if len(head) <= LONGEST_KEPT:
            standing = stand(asked.request, asked.shown, self.judge.cache, self.judge.clock())
        if standing is not None:
            familiar.remember(head, asked.request, standing, more)

    def read(self, question: Question) -> Asked | Reply:
        """What is asked, or a refusal of how."""
        judge = self.judge
        request: AccessRequest | Malformed = self.dialect.read(question, judge.trust)
        if isinstance(request, Malformed):
            return self._refuse(request)
        if probes.COOKIE in request.headers.get(b"cookie", b"") and self._probed(request):
            return self._fail()
        return Asked(request, credentials.show(request.headers, judge.names, judge.cache.ring))

    def answer(self, asked: Asked) -> Reply | None:
        """What memory says, if it knows."""
        judge = self.judge
        moment = judge.clock()
        decision = weigh(asked.request, asked.shown, judge.cache, moment)
        if isinstance(decision, Missing):
            return None
        judge.cache.hits += 1
        return self._answer(decision, asked.request, moment.now)

    def again(self, known: Known[T], raw: bytes) -> Reply | None:
        """What is answered to this path, if the standing holds and the path is read at a glance."""
        judge = self.judge
        moment = judge.clock()
        request, standing, _, decided = known
        plain = target.common(raw) if stands(standing, judge.cache, moment) else None
        if plain is None:
            return None
        uri, path = plain
        view = standing.outlook
        found = pick(view.rules, path) if view is not None else None
        place = found.rule.position if found is not None else 0
        decision, reply = decided.get(place) or self._decide(known, found, place)
        judge.cache.hits += 1
        if isinstance(reply, Form):
            reply = reply.fill(judge.speech.request_id().encode())
        elif reply is None or _LET_IN.receivers:
            request = _at(request, uri, path)
            reply = reply or self.dialect.write(decision, request, judge.speech)
        return self._said(decision, request, reply, moment.now)

    def _decide(self, known: Known[T], found: Open | None, place: int) -> tuple[Decision, Reply | Form | None]:
        """The first time that a rule decides for this head; what is the same each time is written now. A page and a
        redirect depend on the path, so people get theirs made each time."""
        standing, reply = known.standing, None
        decision = standing.early or (conclude(standing.outlook, found) if standing.outlook else NOWHERE)
        if isinstance(decision, Allow):
            reply = self.dialect.write(decision, known.request, self.judge.speech)
            known.decided[place] = decision, reply._replace(raw=lines(reply.headers))
        else:
            if not replies.is_navigation(known.request):
                reply = replies.form(self.dialect.write(decision, known.request, self.judge.speech))
            known.decided[place] = decision, reply
        return known.decided[place]

    async def cold(self, request: AccessRequest) -> Reply:
        """The answer after asking storage for what memory missed."""
        judge = self.judge
        judge.cache.misses += 1
        try:
            decision = await decide(request, judge.cache, judge.recall, judge.names, judge.clock)
        except GatewayError as error:
            return self._unavailable(error.code, str(error))
        return self._answer(decision, request, judge.clock().now)

    def _answer(self, decision: Decision, request: AccessRequest, now: float) -> Reply:
        return self._said(decision, request, self.dialect.write(decision, request, self.judge.speech), now)

    def _said(self, decision: Decision, request: AccessRequest, reply: Reply, now: float) -> Reply:
        """Counted, noted and, where somebody listens, told."""
        counted, signal = self._outcomes[type(decision)]
        cache = self.judge.cache
        cache.counters[counted] = cache.counters.get(counted, 0) + 1
        if isinstance(decision, Allow) and decision.key is not None:
            cache.seen[decision.key] = cache.accessed[decision.app] = now
        if signal.receivers:
            signal.send(self.name, request=request, decision=decision, reply=reply)
        return reply

    def _tell(self, outcome: str, refusal: Malformed, reply: Reply) -> Reply:
        signals.decided[outcome].send(self.name, request=None, decision=refusal, reply=reply)
        return reply

    def _refuse(self, refusal: Malformed) -> Reply:
        self._count("malformed")
        reply: Reply = self.dialect.refuse(replies.malformed(refusal, self.judge.speech))
        return self._tell("malformed", refusal, reply)

    def _unavailable(self, code: str, reason: str) -> Reply:
        reply = self._no_answer(code, reason)
        return self._tell("unavailable", Malformed(code, reason, reply.status), reply)

    def _no_answer(self, code: str, reason: str) -> Reply:
        self._count("unavailable")
        reply: Reply = self.dialect.refuse(replies.unavailable(code, reason, 1, self.judge.speech))
        return reply

    def _probed(self, request: AccessRequest) -> bool:
        return probes.asks(request, self.judge.cache.ring, self.judge.clock().wall)

    def _fail(self) -> Reply:
        """What a gateway that cannot know would say, in every dialect; it names the door, for whoever reads it."""
        self._count("probe")
        return replies.unavailable(probes.CODE, f"the doctor asked at the door of {self.name}", 1, self.judge.speech)

    def _count(self, outcome: str) -> None:
        counters, key = self.judge.cache.counters, (outcome, self.name)
        counters[key] = counters.get(key, 0) + 1


def _at(asked: AccessRequest, uri: str, path: str) -> AccessRequest:
    method, scheme, host, authority, _, _, _, client, headers = asked
    return AccessRequest(method, scheme, host, authority, path, "", uri, client, headers)


def _outcome(kind: type, door: str) -> tuple[tuple[str, str], signals.NamedSignal]:
    """Where a decision of this kind is counted, and who hears of it."""
    outcome = kind.__name__.lower()
    return (outcome, door), signals.decided[outcome]


def _cut(headers: Headers, peer: str | None) -> tuple[bytes, bytes]:
    """All headers but the one that says the path, with who sent them; and that path. Nothing where one comes twice. Neither
    a name nor a value has a line feed, and there are as many of both, so what is joined has one reading."""
    fields = dict(headers)
    uri = fields.pop(VARIES, b"")
    if not uri or len(fields) + 1 != len(headers):
        return b"", b""
    return b"\n".join([*fields, *fields.values(), (peer or "").encode()]), uri
