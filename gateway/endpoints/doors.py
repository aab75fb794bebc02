"""Which door answers: first the exact path of a dialect, whatever the Host; then the host decides.

A dictionary on the raw path, not a router: ``/auth/traefik`` is one spelling and no other, and finding it costs nothing.
A dialect whose path ends with a slash has everything behind it. What an app's host keeps for us, ``/.gateway/``, is the
gateway's before it is anybody's: 404 until there are tickets. Hosts that the gateway carries are ``express``'s; what comes
here of them came through a server that cannot (501).
The second socket serves metrics and health, and is known by the address that was connected to, which nobody can forge.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import replies, target
from gateway.endpoints.forwardauth import ForwardAuth
from gateway.endpoints.listening import Address
from gateway.endpoints.sidecar import Sidecar

DOORS = "gateway.doors"
"""Where a server's lifespan state has the ``Doors``, for whoever can answer before there is a scope."""
_OWN = b"/.gateway/"
_NOT_CARRIED = "this host is carried by `gateway serve` with server.express, not by another server"


class Doors:
    """The outermost ASGI application. ``internal`` is the (host, port) of the second socket, if there is one."""

    def __init__(
        self,
        hot: Mapping[bytes, ForwardAuth],
        portal_host: str,
        portal: ASGIApp,
        health: Mapping[bytes, ASGIApp],
        metrics: Mapping[bytes, ASGIApp],
        internal: Address | None,
        request_id: Callable[[], str],
        sidecar: Sidecar,
    ) -> None:
        self._prefixes = [(path, door) for path, door in hot.items() if path.endswith(b"/")]
        self._hot, self._portal_host, self._portal = hot, portal_host, portal
        self._health, self._metrics, self._internal = health, metrics, internal
        self.sidecar = sidecar
        self._nowhere = _problem(request_id, 404, "G140", "there is no such door here")
        self._not_carried = _problem(request_id, 501, "G141", _NOT_CARRIED)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Not a coroutine of its own: on the hot path each costs as much as a rule."""
        if scope["type"] != "http":
            raise RuntimeError(f"a {scope['type']} scope cannot come in here")  # the server runs without WebSockets
        path: bytes = scope["raw_path"]
        found = self._hot.get(path)
        if found is None or self.is_internal(scope["server"]):
            return self._door(scope, path)(scope, receive, send)
        return found(scope, receive, send)

    def _door(self, scope: Scope, path: bytes) -> ASGIApp:
        if self.is_internal(scope["server"]):
            return self._metrics.get(path) or self._health.get(path) or self._nowhere
        if (found := self._behind(path)) is not None:
            return found
        host = _host(scope)
        if not path.startswith(_OWN) and self.sidecar.owns(host):
            return self._not_carried
        if path in self._health:
            return self._health[path]
        return self._portal if host == self._portal_host else self._nowhere

    def carrying(self, uri: bytes, host: bytes) -> Sidecar | None:
        """The sidecar, if such a request is for a host that it carries, or, while the policy is not known, may be. Its own
        paths the gateway keeps on every host."""
        path = uri.partition(b"?")[0]
        if self.hot(path) is not None or path.startswith(_OWN):
            return None
        owns = self.sidecar.owns(_name(host))
        return self.sidecar if owns or (owns is None and path not in self._health) else None

    def hot(self, path: bytes) -> ForwardAuth | None:
        """The hot door at ``path``, on any socket but the internal one."""
        found = self._hot.get(path)
        return found if found is not None else self._behind(path)

    def is_internal(self, server: Address | None) -> bool:
        """Whether ``server``, which somebody connected to, is the second socket. A socket that is bound to every address
        reports the one that was connected to."""
        if self._internal is None or server is None or server[1] != self._internal[1]:
            return False
        host = self._internal[0]
        return host in (server[0], "0.0.0.0", "::")  # noqa: S104 - compared, not bound

    def _behind(self, path: bytes) -> ForwardAuth | None:
        return next((door for prefix, door in self._prefixes if path.startswith(prefix)), None)


def _host(scope: Scope) -> str:
    values = [value for name, value in scope["headers"] if name == b"host"]
    return _name(values[0]) if len(values) == 1 else ""


def _name(host: bytes) -> str:
    try:
        return target.authority(host, "http")[0]
    except target.Unreadable:
        return ""


def _problem(request_id: Callable[[], str], status: int, code: str, reason: str) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        reply = replies.problem(status, code, reason, request_id().encode())
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})

    return answer
