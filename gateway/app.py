"""Makes every object once, connects every signal, mounts every door. No logic: the only room that knows everybody."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway import clocks, dialects, forwarded, replies, signals
from gateway.cache import Bounds, Cache, Trust
from gateway.credentials.cookies import names
from gateway.endpoints import health, pages, returns
from gateway.endpoints.doors import DOORS, Doors
from gateway.endpoints.forwardauth import ForwardAuth, Judge
from gateway.endpoints.onward import Names
from gateway.endpoints.portal import Portal
from gateway.endpoints.setcookie import cookies
from gateway.endpoints.sidecar import Sidecar
from gateway.errors import GatewayError, UpstreamFailed
from gateway.logins import SECOND_FACTORS
from gateway.model import AccessRequest, App, Deny, Reply, Rule
from gateway.observe.metrics import Metrics
from gateway.observe.news import News
from gateway.observe.numbers import Numbers
from gateway.relay.relay import Relay
from gateway.replies import Speech
from gateway.services import batches
from gateway.services.ground import Ground
from gateway.services.recall import Recall
from gateway.services.reload import Reload, logger
from gateway.services.signin import Limits, SignIn
from gateway.services.watch import watch_store
from gateway.settings import Settings
from gateway.storage import pool, ringfile
from gateway.storage.answers import Answers
from gateway.storage.listener import Clocks, Ear
from gateway.storage.pool import Store
from gateway.streams import Streams
from gateway.tokens import Ring

PORTAL = "portal"


class Gateway:
    """One process of the product, as an ASGI application. ``url`` and ``listen_url`` are of the database; ``internal``
    is the address of the second socket, ``seats`` a directory that the workers of one replica share; ``settled`` is
    called once everything is warm."""

    def __init__(
        self,
        settings: Settings,
        ring: Ring,
        url: str,
        listen_url: str,
        *,
        config: Any = None,
        internal: tuple[str, int | None] | None = None,
        seats: Path | None = None,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings, self.settled = settings, settled
        self.cache = Cache(ring, _bounds(settings))
        self.store = Store(url, settings.database.pool_size)
        self.recall = self._make_recall()
        self.ear = self._make_ear(listen_url)
        self.metrics = Metrics(self.cache, self.store, self.ear, clocks.boot, seats, self._carried)
        self.ground = Ground(self.store, self.ear.acks, lambda: self.cache.ring, lambda: clocks.moment().wall)
        self.signin = SignIn(self.ground, _limits(settings))
        self.reload = Reload(self.ground, config, settings.portal_host) if config else None
        self.news = News(self.cache.counters)
        self._tasks: list[asyncio.Task[None]] = []
        self.relay = Relay(settings.upstream, self._cookies())
        self.streams = Streams(self.cache, self.recall, clocks.moment)
        self._doors = self._make_doors(internal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self._doors(scope, receive, send)

    async def start(self) -> None:
        """Everything warm: the pool, the ear, the policy, the most recently used sessions."""
        self._connect()
        await self.store.open()
        await self.ear.start()
        if self.reload is not None:
            await self.reload.at_start()
            with suppress(RuntimeError, ValueError):  # only a process's main thread may; elsewhere the file is watched
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload_now)
            self._tasks.append(asyncio.create_task(self.reload.watch(), name="reload"))
        flushing = batches.keep_flushing(self.cache, self.store, clocks.boot, self._said)
        self._tasks.append(asyncio.create_task(flushing, name="flush"))
        watching = watch_store(self.cache, clocks.boot, lambda: pool.probe(self.store.url))
        self._tasks.append(asyncio.create_task(watching, name="watch"))
        self._tasks.append(asyncio.create_task(self.streams.watch(), name="streams"))
        await self.metrics.seat.take()
        self.settled()

    async def stop(self) -> None:
        """Write what was collected; the ear closes last, so that fences are answered until then."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.streams.close()
        self.relay.close()
        self.signin.close()
        await self.recall.close()
        try:
            await batches.flush(self.cache, self.store, clocks.boot)
        except GatewayError as error:
            logger.warning("the last uses were not written, and are lost", extra={"problem": str(error)})
        await self.store.close()
        await self.ear.stop()
        await self.metrics.seat.leave()
        self._disconnect()

    def readiness(self) -> tuple[bool, Mapping[str, object]]:
        """Ready: checks are answered, from memory or by asking. A policy that was just forgotten is asked for."""
        trust = self.cache.trust(*clocks.moment())
        body: dict[str, object] = {"status": "ready", "hearing": self.ear.hearing, "answers_from": trust.value}
        if trust is not Trust.MEMORY:
            body["warning"] = (
                "deaf: changes are not heard, so answers come from the database or, if it is away, end soon"
            )
        remembers = self.cache.policy is not None and trust is not Trust.ASK
        good = remembers or not self.cache.store_is_silent(clocks.boot())
        return good, body if good else {**body, "status": "not ready"}

    def _make_recall(self) -> Recall:
        rules = (Rule("bypass"),)
        own = ((0, App(PORTAL, "Portal", (self.settings.portal_host,), rules)),) if self.settings.portal_host else ()
        return Recall(
            self.cache,
            Answers(self.store),
            clocks.boot,
            apps=own,
            at_once=max(1, self.settings.database.pool_size // 2),
            max_age=self.settings.cache.max_age,
            second_factors=SECOND_FACTORS,
            timed=lambda seconds: self.metrics.recall.observe(seconds),
        )

    def _make_ear(self, url: str) -> Ear:
        return Ear(
            url,
            Clocks(clocks.boot, lambda: clocks.moment().wall),
            f"{socket.gethostname()}:{os.getpid()}",
            refill=lambda: self.recall.refill(self.settings.cache.preload),
            settle=self.recall.settle,
            beat=min(1.0, self.settings.cache.grace / 4),
        )

    def _make_doors(self, internal: tuple[str, int | None] | None) -> Doors:
        judge = self._make_judge()
        domain = self.signin.limits.audience
        lifetime = int(self.settings.session.absolute)
        portal = Portal(
            judge,
            self.signin,
            cookies(secure=self.settings.secure_cookies, domain=domain, lifetime=lifetime),
            self.settings.server.portal_url,
        )
        checks = {b"/health/live": health.live(), b"/health/ready": health.ready(self.readiness)}
        return Doors(
            {dialect.PATH.encode(): ForwardAuth(dialect, judge) for dialect in dialects.FAN},
            self.settings.portal_host,
            portal.router(),
            checks,
            {b"/metrics": health.metrics(self.metrics.exposition)},
            internal,
            judge.speech.request_id,
            self._make_sidecar(judge),
        )

    def _make_sidecar(self, judge: Judge) -> Sidecar:
        ours = Names(self._cookies(), b"gateway-" + secrets.token_hex(4).encode())
        return Sidecar(judge, self.relay, self.streams.open, ours, self.settings.portal_host, self._sorry)

    def _carried(self) -> Numbers:
        return {
            "streams": {"": len(self.streams.open)},
            "streams_ended": {"": self.streams.ended},
            "upstream_failures": dict(self._doors.sidecar.failures),
        }

    def _cookies(self) -> tuple[bytes, ...]:
        """Ours, which stay between browsers and us."""
        return tuple(names(secure=self.settings.secure_cookies))

    def _make_judge(self) -> Judge:
        trust = self.settings.trust
        url = self.settings.server.portal_url
        return Judge(
            self.cache,
            self.recall,
            forwarded.Trust(trust.proxies, trust.unix, trust.secret.encode()),
            names(secure=self.settings.secure_cookies),
            clocks.moment,
            Speech(url, self._login_url, self._denied_page, _request_id),
        )

    def _login_url(self, url: str) -> str:
        token = returns.sign(self.cache.ring, url, clocks.wall())
        return f"{self.settings.server.portal_url}/login?rd={token}"

    def _denied_page(self, decision: Deny, request: AccessRequest, request_id: str) -> tuple[str, str]:
        known = self.cache.policy.app(request.host) if self.cache.policy else None
        text = pages.render(
            "denied.html",
            title="You cannot open this",
            reason=decision.reason[:1].upper() + decision.reason[1:] + ".",
            app_title=known.title if known else "",
            user=decision.identity.name if decision.identity else "",
            request_id=request_id,
            portal=f"{self.settings.server.portal_url}/",
        )
        return text, pages.DENIED_HEADERS["Content-Security-Policy"]

    def _sorry(self, request: AccessRequest, error: UpstreamFailed, request_id: str) -> Reply:
        """An app failed: a page for a person, a problem document for a program."""
        if not replies.is_navigation(request):
            return replies.problem(error.status, error.code, str(error), request_id.encode())
        known = self.cache.policy.app(request.host) if self.cache.policy else None
        title = f"{known.title if known else 'This app'} does not answer"
        text = pages.render("unanswered.html", title=title, reason=str(error), request_id=request_id)
        return replies.page(error.status, text, pages.DENIED_HEADERS["Content-Security-Policy"], request_id)

    def _connect(self) -> None:
        signals.changed.connect(self._changed, sender=self.ear, weak=False)
        signals.hearing.connect(self._hearing, sender=self.ear, weak=False)
        self.news.connect()

    def _disconnect(self) -> None:
        signals.changed.disconnect(self._changed)
        signals.hearing.disconnect(self._hearing)
        self.news.disconnect()

    def _changed(self, sender: Ear, kind: str, key: str) -> None:
        if kind == "key":
            self._reload_ring()
        if kind in ("key", "*"):
            self.cache.forget_all()
        else:
            self.cache.forget(kind, key)
        self.streams.changed()

    def _hearing(self, sender: Ear, sent: float, offset: float) -> None:
        self.cache.heard(sent, offset)

    def _reload_ring(self) -> None:
        """A key came or was withdrawn. A ring that cannot be read now is an empty one: every token is a stranger's."""
        try:
            self.cache.ring = ringfile.read(self.settings.server.keys_file)
        except GatewayError as error:
            logger.error("the signing keys cannot be read; every token is refused", extra={"problem": str(error)})
            self.cache.ring = Ring(self.cache.ring.id, b"", {}, secrets.token_bytes(32))

    def _reload_now(self) -> None:
        if self.reload is not None:
            self._tasks.append(asyncio.get_running_loop().create_task(self.reload.again("SIGHUP")))

    def _said(self, error: Exception) -> None:
        problem = str(error) if isinstance(error, GatewayError) else type(error).__name__
        logger.warning("last uses could not be written; they are kept for the next time", extra={"problem": problem})

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if self.settings.server.express:
            scope.get("state", {})[DOORS] = self._doors
        try:
            await self.start()
        except GatewayError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _request_id() -> str:
    """To find an answer again: unique, and no secret."""
    return f"{random.getrandbits(64):016x}"


def _bounds(settings: Settings) -> Bounds:
    cache = settings.cache
    return Bounds(identities=cache.max_identities, grace=cache.grace, outage=cache.outage)


def _limits(settings: Settings) -> Limits:
    host = settings.portal_host
    domains = [domain for domain in settings.session.cookie_domain if f".{host}".endswith(f".{domain}")]
    return Limits(settings.session.absolute, settings.session.idle, domains[0] if domains else host)
