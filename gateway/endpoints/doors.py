"""Which door answers: first the exact path of a dialect, whatever the Host; then the host decides.

A dictionary on the raw path, not a router: ``/auth/traefik`` is one spelling and no other, and finding it costs nothing.
A dialect whose path ends with a slash has everything behind it. What an app's host keeps for us, ``/.gateway/``, is the
gateway's before it is anybody's: 404 until there are tickets.
The second socket serves metrics and health, and is known by the address that was connected to, which nobody can forge.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import replies, target
from gateway.endpoints.forwardauth import ForwardAuth
from gateway.endpoints.listening import Address

DOORS = "gateway.doors"
"""Where a server's lifespan state has the ``Doors``, for whoever can answer before there is a scope."""


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
    ) -> None:
        self._prefixes = [(path, door) for path, door in hot.items() if path.endswith(b"/")]
        self._hot, self._portal_host, self._portal = hot, portal_host, portal
        self._health, self._metrics, self._internal = health, metrics, internal
        self._nowhere = _not_found(request_id)

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
        found = self._behind(path) or self._health.get(path)
        if found is not None:
            return found
        return self._portal if _host(scope) == self._portal_host else self._nowhere

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
    try:
        return target.authority(values[0], "http")[0] if len(values) == 1 else ""
    except target.Unreadable:
        return ""


def _not_found(request_id: Callable[[], str]) -> ASGIApp:
    async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
        reply = replies.problem(404, "G140", "there is no such door here", request_id().encode())
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})

    return nowhere
