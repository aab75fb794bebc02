"""What a person sees: HTML from the templates beside this file, and the headers that every page is sent with.

What lives here: rendering, the address of the stylesheet, content security policies. What may not: routes, sessions,
policy. Endpoints call ``render``; a refusal shown on an app's own host is ``denied.html`` with ``DENIED_HEADERS``.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE = Path(__file__).parent
STATIC = HERE / "static"
"""To be served under ``/static`` of the portal's host."""

_DENIED_STYLE = (HERE / "templates" / "denied.css").read_text(encoding="utf-8").strip()


def _headers(style: str, forms: str) -> dict[str, str]:
    sources = f"default-src 'none'; style-src {style}; img-src 'self'; form-action {forms}"
    return {
        "Content-Security-Policy": f"{sources}; frame-ancestors 'none'; base-uri 'none'",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


PAGE_HEADERS = _headers("'self'", "'self'")
"""For every page of the portal."""

DENIED_HEADERS = _headers(f"'sha256-{b64encode(sha256(_DENIED_STYLE.encode()).digest()).decode()}'", "'none'")
"""For ``denied.html``, which carries its own style because nothing of the portal is reachable on an app's host."""


def render(name: str, **values: object) -> str:
    """The page as text. A value that the template needs and was not given is an error, never an empty place."""
    return _environment.get_template(name).render(values)


def link(url: str) -> str:
    """An address fit for an href: http, https, or a path of this host; anything else becomes "#"."""
    # Escaping alone lets "javascript:" by. And browsers drop tabs and line ends first: "/<tab>/evil" is another host.
    clean = all(character > " " for character in url)
    path = url.startswith("/") and url[1:2] not in ("/", "\\")
    return url if clean and (path or url.startswith(("https://", "http://"))) else "#"


def host(url: str) -> str:
    """The part of an address that a person recognises."""
    return link(url).partition("://")[2].partition("/")[0]


def when(moment: datetime | str) -> str:
    """A moment for people, in UTC because the page cannot know where they are; a text is shown as it is."""
    if isinstance(moment, str):
        return moment
    utc = moment.astimezone(UTC)
    text = f"{utc.day} {utc:%b %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), text)


def _versioned(name: str) -> str:
    # The digest makes a new release show its own stylesheet, whatever a browser kept of the last one.
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"


def _make_environment() -> Environment:
    loader = FileSystemLoader(HERE / "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(link=link, host=host, when=when)
    made.globals.update(stylesheet=_versioned("portal.css"), favicon=_versioned("favicon.svg"))
    # Safe: a file of this package, and quoted nowhere but between the style tags of denied.html.
    made.globals.update(denied_style=Markup(_DENIED_STYLE))  # noqa: S704 - not from outside, see above
    return made


_environment = _make_environment()
