"""The portal: the pages where people sign in, see their sessions and apps, and sign out. On the portal's host only.

Every unsafe method needs a form that came from here (``forms``). Pages work without JavaScript.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gateway import questions, tokens
from gateway.check import Found
from gateway.credentials import portal as portal_cookie
from gateway.credentials.cookies import values
from gateway.endpoints import forms, pages, returns
from gateway.endpoints.forms import BadForm
from gateway.endpoints.forwardauth import Judge
from gateway.endpoints.setcookie import Cookies
from gateway.errors import GatewayError, NotFound
from gateway.model import AccessRequest, Allow, Identity, Malformed, Refusal
from gateway.policy import decide
from gateway.services import sessions
from gateway.services.decide import known
from gateway.services.ground import Silent
from gateway.services.sessions import Session
from gateway.services.signin import Attempt, SignIn

logger = logging.getLogger("gateway.portal")
Handler = Callable[["Portal", Request], Awaitable[Response]]


def page(status: int, template: str, **fields: Any) -> HTMLResponse:
    """A page with the headers every page has."""
    return HTMLResponse(pages.render(template, **fields), status, pages.PAGE_HEADERS)


def kindly(handler: Handler) -> Handler:
    """A person gets a page for whatever goes wrong, with a request id; the log gets the rest."""

    @wraps(handler)
    async def handling(portal: Portal, request: Request) -> Response:
        try:
            return await handler(portal, request)
        except BadForm as error:
            return portal.message(error.status, "That did not work", str(error))
        except NotFound as error:
            return portal.message(404, "Not there", str(error))
        except GatewayError as error:
            logger.warning("portal unavailable", extra={"code": error.code})
            answer = portal.message(503, "One moment, please", "The sign-in service cannot reach its database now.")
            answer.headers["retry-after"] = "1"
            return answer
        except Exception:
            # As at the hot door: the traceback is for the log, the person gets a page and a number to mention.
            logger.exception("a portal page failed")
            return portal.message(503, "That did not work", "Something is wrong here. It was written to the log.")

    return handling


@dataclass(frozen=True, slots=True)
class Portal:
    """What the pages need, made once by ``app``."""

    judge: Judge
    signin: SignIn
    cookies: Cookies
    url: str

    def router(self) -> ASGIApp:
        """The pages of the portal's host. Whatever goes wrong among them is a page too."""
        made = Starlette(
            routes=[
                Route("/", self._bound(home), methods=["GET"]),
                Route("/login", self._bound(login_page, login), methods=["GET", "POST"]),
                Route("/logout", self._bound(logout_page, logout), methods=["GET", "POST"]),
                Route("/account", self._bound(home), methods=["GET"]),
                Route("/account/sessions/end", self._bound(None, end_session), methods=["POST"]),
                Mount("/static", StaticFiles(directory=pages.STATIC)),
            ],
            exception_handlers={HTTPException: self._refuse, Exception: self._break},
        )
        made.router.redirect_slashes = False
        return made

    def message(self, status: int, title: str, text: str) -> Response:
        """A short page about what happened."""
        request_id = self.judge.speech.request_id()
        answer = page(status, "message.html", title=title, text=text, request_id=request_id, home="/")
        answer.headers["x-request-id"] = request_id
        return answer

    async def who(self, request: Request) -> Found:
        """Who presents the portal cookie."""
        judge = self.judge
        return await known(request.scope["headers"], judge.cache, judge.recall, judge.names, judge.clock)

    def presented(self, request: Request) -> bytes:
        """The portal token in the request, living or not; empty where there is none, or more than one."""
        found = portal_cookie.read(_sent(request), self.cookies.names)
        return found[0] if len(set(found)) == 1 else b""

    def attempt(self, request: Request) -> bytes:
        """The token of a sign-in under way on this browser, if it is living."""
        sent = values(_sent(request).get(b"cookie", b""), self.cookies.attempt)
        ring, wall = self.judge.cache.ring, self.judge.clock().wall
        alive = [value for value in sent if tokens.admit(ring, "attempt", value, wall)]
        return alive[0] if alive else b""

    def csrf(self, bound: bytes) -> str:
        """A form token for the browser that holds ``bound``."""
        return forms.token(self.judge.cache.ring, bound, self.judge.clock().wall)

    async def checked(self, request: Request, bound: bytes) -> dict[str, str]:
        """The fields of a form that is ours, from this browser."""
        forms.require_same_origin(request, self.url)
        fields = await forms.read(request)
        forms.require_token(self.judge.cache.ring, fields, bound, self.judge.clock().wall)
        return dict(fields)

    def destination(self, token: str) -> str:
        """Where a sign-in leads: the signed return URL if it still holds, else the portal."""
        judge = self.judge
        url = returns.follow(judge.cache.ring, token, judge.clock().wall, judge.cache.policy, self._owns)
        return url or f"{self.url}/"

    def _owns(self, host: str) -> bool:
        return f".{host}".endswith(f".{self.cookies.domain}")

    def _bound(self, get: Handler | None, post: Handler | None = None) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            handler = post if request.method == "POST" else get
            assert handler is not None  # noqa: S101 - the route admits no other method; for mypy
            return await kindly(handler)(self, request)

        return endpoint

    async def _refuse(self, request: Request, error: Exception) -> Response:
        """No such page, or not by this method."""
        status = error.status_code if isinstance(error, HTTPException) else 503
        titles = {404: "Not there", 405: "Not like this"}
        answer = self.message(status, titles.get(status, "That did not work"), "There is no such page here.")
        if isinstance(error, HTTPException):
            answer.headers.update(error.headers or {})
        return answer

    async def _break(self, request: Request, error: Exception) -> Response:
        """What no page caught; the server writes the traceback."""
        return self.message(503, "That did not work", "Something is wrong here. It was written to the log.")


def _sent(request: Request) -> Mapping[bytes, bytes]:
    """The headers; none at all where one that decides came twice."""
    sent = questions.collect(request.scope["headers"], ())
    return {} if isinstance(sent, Malformed) else sent


async def home(portal: Portal, request: Request) -> Response:
    """The account page, or the way to the sign-in."""
    identity = (await portal.who(request)).identity
    if identity is None:
        return RedirectResponse("/login", 303, pages.PAGE_HEADERS)
    token = portal.presented(request)
    own = tokens.digest(portal.judge.cache.ring, token)
    listed, current = await sessions.sign_ins(portal.signin.ground, identity.user_id, own)
    rows = [_row(session, current) for session in listed]
    return page(
        200,
        "account.html",
        user=identity.name,
        groups=sorted(identity.groups),
        apps=_open_apps(portal, identity),
        csrf=portal.csrf(token),
        sessions=rows,
    )


async def login_page(portal: Portal, request: Request) -> Response:
    """The form. Somebody who is signed in already goes where they were going."""
    return_token = request.query_params.get("rd", "")
    if (await portal.who(request)).identity is not None and not return_token:
        return RedirectResponse("/", 303, pages.PAGE_HEADERS)
    return _form(portal, request, 200, return_token)


async def login(portal: Portal, request: Request) -> Response:
    """A name and a password: two cookies and onwards, or the form again."""
    fields = await portal.checked(request, portal.attempt(request))
    attempt = Attempt(
        fields.get("username", ""),
        fields.get("password", ""),
        request.headers.get("user-agent", "")[:256],
        portal.presented(request),
    )
    outcome = await portal.signin.sign_in(attempt)
    return_token = fields.get("return_token", "")
    if isinstance(outcome, Refusal):
        return _form(portal, request, 403, return_token, outcome.reason, attempt.name)
    url = portal.destination(return_token)
    # A page that goes on by itself, not a redirect: form-action would have to name every app (CSP3, section 6.3.1).
    answer = page(200, "continue.html", url=url, app_title=_title(portal, url))
    for cookie in portal.cookies.signed_in(outcome.portal, outcome.session):
        answer.raw_headers.append((b"set-cookie", cookie))
    return answer


async def logout_page(portal: Portal, request: Request) -> Response:
    """A harmless page with a button: a GET never signs anybody out."""
    if (await portal.who(request)).identity is None:
        return page(200, "signed_out.html")
    return RedirectResponse("/account", 303, pages.PAGE_HEADERS)


async def logout(portal: Portal, request: Request) -> Response:
    """End this sign-in with every app session of it; answers when every hearing replica has forgotten."""
    token = portal.presented(request)
    await portal.checked(request, token)
    _warn(await portal.signin.sign_out(token))
    answer = page(200, "signed_out.html")
    for cookie in portal.cookies.signed_out():
        answer.raw_headers.append((b"set-cookie", cookie))
    return answer


async def end_session(portal: Portal, request: Request) -> Response:
    """End another sign-in of the same person."""
    fields = await portal.checked(request, portal.presented(request))
    identity = (await portal.who(request)).identity
    if identity is None:
        return RedirectResponse("/login", 303, pages.PAGE_HEADERS)
    number = fields.get("id", "")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise NotFound("there is no such session")
    _warn(await sessions.revoke(portal.signin.ground, f"user:{identity.user_id}", int(number), identity.user_id))
    return RedirectResponse("/account", 303, pages.PAGE_HEADERS)


def _row(session: Session, current: int | None) -> dict[str, Any]:
    moments = {name: datetime.fromisoformat(getattr(session, name)) for name in ("created", "last_seen")}
    return {**session._asdict(), **moments, "current": session.id == current}


def _warn(silent: Silent) -> None:
    """The person can do nothing about it; whoever reads the log can."""
    if silent:
        logger.warning("replicas did not acknowledge the end of a session", extra={"silent": list(silent)})


def _form(
    portal: Portal, request: Request, status: int, return_token: str, error: str = "", username: str = ""
) -> Response:
    """The sign-in form, bound to a cookie of this browser."""
    bound = portal.attempt(request)
    fresh = not bound
    if fresh:
        expires = int(portal.judge.clock().wall) + forms.LIFETIME
        bound = tokens.mint(portal.judge.cache.ring, "attempt", expires).encode()
    destination = portal.destination(return_token)
    answer = page(
        status,
        "login.html",
        action="/login",
        csrf=portal.csrf(bound),
        return_token=return_token,
        error=error,
        username=username,
        app_title=_title(portal, destination),
    )
    if fresh:
        answer.raw_headers.append((b"set-cookie", portal.cookies.attempted(bound.decode())))
    return answer


def _title(portal: Portal, url: str) -> str:
    policy = portal.judge.cache.policy
    app = policy.app(pages.host(url).partition(":")[0]) if policy is not None else None
    return app.title or app.name if app is not None and app.tenant else ""


def _open_apps(portal: Portal, identity: Identity) -> list[tuple[str, str]]:
    """Apps with a first page that this person may open."""
    policy = portal.judge.cache.policy
    own, now = urlsplit(portal.url), portal.judge.clock().now
    found = []
    for host, app in (policy.exact if policy is not None else {}).items():
        authority = f"{host}:{own.port}" if own.port else host
        first = AccessRequest("GET", own.scheme, host, authority, "/", "", "/", None, {})
        if app.tenant and isinstance(decide(app, first, identity, None, now), Allow):
            found.append((app.title or app.name, f"{own.scheme}://{authority}/"))
    return sorted(found)
