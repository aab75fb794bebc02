"""The page that the doctor asks for: its parts, the app that owns it, and who should be able to open it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway import headers, policy, target
from gateway.credentials.cookies import names
from gateway.errors import Refused
from gateway.model import AccessRequest, Allow, App, Challenge
from gateway.policy import CompiledApp
from gateway.settings import Settings


class Page(NamedTuple):
    """``request`` is what a proxy should ask about it; ``open_path`` a path of the same host that strangers may open, or
    empty; ``names`` the identity headers of its app; ``cookie`` and ``portal`` are the gateway's own."""

    request: AccessRequest
    app: str
    template: headers.Template
    open_path: str
    cookie: str
    portal: str

    @property
    def names(self) -> list[str]:
        """The identity headers of its app, as they are written."""
        return [name for name, _ in self.template]

    @property
    def origin(self) -> str:
        """As a browser names it."""
        return f"{self.request.scheme}://{self.request.authority}"


def read(url: str) -> AccessRequest:
    """What a proxy should ask about a URL. Refused where a door would not read it."""
    try:
        parts = urlsplit(url)
        if not parts.netloc or parts.scheme not in ("http", "https"):
            raise ValueError
    except ValueError:
        raise Refused(f"{url} is not a URL such as https://app.example.com/path") from None
    uri = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        host, authority = target.authority(parts.netloc.encode(), parts.scheme)
        sent, path = target.uri(uri.encode())
    except target.Unreadable as error:
        raise Refused(f"such a request is malformed and is answered 400 ({error})") from None
    return AccessRequest("GET", parts.scheme, host, authority, path.path, path.unclear, sent, None, {})


def find(request: AccessRequest, apps: Sequence[tuple[int, App]], settings: Settings, now: float) -> Page:
    """The page of a request. Refused unless an app owns it and strangers have to sign in there."""
    app = policy.compile_policy(0, apps).app(request.host)
    if app is None:
        raise Refused(f"no app here owns the host {request.host} (gateway app list)")
    if app.broken:
        raise Refused(f"the policy of {app.name} cannot be used, because of {app.broken}: {app.fault}")
    decision = policy.decide(app, request, None, None, now)
    if not isinstance(decision, Challenge):
        what = "everybody may open" if isinstance(decision, Allow) else "nobody may open"
        raise Refused(f"{what} {request.path} (rule {decision.rule} of {app.name}); name a page that wants a sign-in")
    open_path = _open_path(app, request, apps, now)
    cookie = names(secure=settings.secure_cookies).session.decode()
    return Page(request, app.name, app.template, open_path, cookie, settings.server.portal_url)


def _open_path(app: CompiledApp, request: AccessRequest, apps: Sequence[tuple[int, App]], now: float) -> str:
    """The first path written in a bypass rule that really lets strangers in."""
    rules = next(known.rules for _, known in apps if known.name == app.name)
    written = [rule.path or rule.path_exact for rule in rules if rule.policy == "bypass"]
    for path in filter(None, written):
        asked = request._replace(path=path, uri=path, unclear="")
        if isinstance(policy.decide(app, asked, None, None, now), Allow):
            return path
    return ""
