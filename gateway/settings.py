"""The server's settings: frozen, complete, checked. ``load`` reads them from a directory and an environment.

Every problem is reported at once, with its place. Nothing here is looked up in ``os.environ``: the roof hands it in.
The keys themselves are a table in ``settings_fields``; here are their defaults and what must hold between them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from gateway import settings_source
from gateway.addresses import Network, inside
from gateway.errors import ConfigurationInvalid, Problem
from gateway.settings_fields import FIELDS, SECTIONS
from gateway.settings_source import Given

FILE = "gateway.yaml"
SYSTEM_STATE = Path("/var/lib/forwardauth-gateway")
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens and where people sign in. ``listen`` is ``host:port`` or ``unix:/path``."""

    listen: str = "127.0.0.1:8000"
    internal_listen: str = "127.0.0.1:8001"
    portal_url: str = ""
    workers: int = 1
    express: bool = True
    data_dir: Path = SYSTEM_STATE
    keys_file: Path = SYSTEM_STATE / "keys.json"


@dataclass(frozen=True, slots=True)
class Database:
    """PostgreSQL: no ``url`` means the embedded one. URLs hold passwords, so ``repr`` leaves them out."""

    url: str = field(default="", repr=False)
    listen_url: str = field(default="", repr=False)
    pool_size: int = 4
    migrate: bool = True


@dataclass(frozen=True, slots=True)
class Cache:
    """Bounds of memory and of trust in it; seconds."""

    max_identities: int = 100_000
    preload: int = 10_000
    max_age: float = 3600.0
    grace: float = 5.0
    outage: float = 60.0


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose forwarded headers are believed. Nobody's, by default."""

    proxies: tuple[Network, ...] = ()
    unix: bool = False
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """Limits and reach of a sign-in; seconds. ``cookie_domain`` lists every domain, the portal's among them."""

    idle: float = 7 * DAY
    absolute: float = 30 * DAY
    cookie_domain: tuple[str, ...] = ()
    reach: str = "domain"


@dataclass(frozen=True, slots=True)
class Upstream:
    """How apps are asked in proxy mode; seconds. ``answer`` is how long the first byte may take, 0 for ever;
    ``connections`` are to one app at once; ``ca_file`` has authorities by which https apps are trusted, beside the
    system's."""

    connect: float = 5.0
    answer: float = 300.0
    idle: float = 4.0
    connections: int = 1000
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """``auto`` is console on a terminal, JSON elsewhere."""

    format: str = "auto"
    level: str = "info"


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it."""

    server: Server = field(default_factory=Server)
    database: Database = field(default_factory=Database)
    cache: Cache = field(default_factory=Cache)
    trust: Trust = field(default_factory=Trust)
    session: Session = field(default_factory=Session)
    upstream: Upstream = field(default_factory=Upstream)
    log: Log = field(default_factory=Log)

    @property
    def portal_host(self) -> str:
        """The portal's host in normal form, without its port; empty without a portal."""
        return urlsplit(self.server.portal_url).hostname or ""

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies are ``Secure`` and carry their prefix."""
        return self.server.portal_url.startswith("https://")


class Contradiction(NamedTuple):
    """What does not fit together: the setting to change, why, and how."""

    name: str
    what: str
    hint: str = ""


def load(directory: Path, environ: Mapping[str, str], *, need_portal: bool = True) -> tuple[Settings, list[str]]:
    """The settings and warnings about unknown variables; ConfigurationInvalid with every problem. Whoever does not
    serve (``user add``, ``migrate``) can do without a portal."""
    file, problems = directory / FILE, list[Problem]()
    given = settings_source.gather(file, environ, problems)
    checked = _checked(given, problems)
    settings = _complete(checked, environ)
    for name, what, hint in _contradictions(settings, need_portal):
        if name not in given or name in checked:  # what could not be read was reported already
            where = given[name].where if name in given else str(file)
            problems.append(Problem(where, f"{name} {what}", hint))
    if problems:
        raise ConfigurationInvalid(problems)
    return settings, settings_source.warnings(environ)


def state_directory(environ: Mapping[str, str], *, root: bool) -> Path:
    """Where a program of this user keeps what must survive: the XDG state directory, or /var/lib for root."""
    if root or not environ.get("HOME"):
        return SYSTEM_STATE
    state = Path(environ.get("XDG_STATE_HOME", ""))
    # The XDG specification says that a relative path there is to be ignored.
    return (state if state.is_absolute() else Path(environ["HOME"], ".local", "state")) / SYSTEM_STATE.name


def _checked(given: Mapping[str, Given], problems: list[Problem]) -> dict[str, Any]:
    """Each given value, read; what cannot be read becomes a problem and stays out."""
    checked: dict[str, Any] = {}
    for one in FIELDS:
        if one.name in given:
            try:
                checked[one.name] = one.read(given[one.name].value)
            except ValueError as error:
                problems.append(Problem(given[one.name].where, f"{one.name}: {error}"))
    return checked


def _complete(checked: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Settings with the defaults that depend on other settings filled in."""
    state = checked.get("server.data_dir") or state_directory(environ, root=os.geteuid() == 0)
    derived: dict[str, Any] = {
        "server.data_dir": state,
        "server.keys_file": state / "keys.json",
        "database.listen_url": checked.get("database.url", ""),
        "session.idle": min(Session().idle, checked.get("session.absolute", Session().absolute)),
    }
    settings = _assemble(derived | dict(checked))
    if settings.portal_host and not settings.session.cookie_domain:
        domain = default_domain(settings.portal_host)
        settings = replace(settings, session=replace(settings.session, cookie_domain=(domain,) if domain else ()))
    return settings


def _assemble(named: Mapping[str, Any]) -> Settings:
    parts: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for name, value in named.items():
        section, _, key = name.partition(".")
        parts[section][key] = value
    return Settings(
        Server(**parts["server"]),
        Database(**parts["database"]),
        Cache(**parts["cache"]),
        Trust(**parts["trust"]),
        Session(**parts["session"]),
        Upstream(**parts["upstream"]),
        Log(**parts["log"]),
    )


def default_domain(portal_host: str) -> str:
    """The domain that cookies are set for unless somebody says: what can be registered, or empty.

    Under ``.localhost`` nothing is registered; there it is the portal host's parent, if that has two labels still.
    """
    if portal_host.endswith(".localhost"):
        parent = portal_host.partition(".")[2]
        return parent if "." in parent else portal_host
    return public_suffixes().privatesuffix(portal_host) or ""


@cache
def public_suffixes() -> PublicSuffixList:
    """Reading the list takes longer than all the rest of a command, so it is read once, where it is needed."""
    return PublicSuffixList()


def _contradictions(settings: Settings, need_portal: bool) -> Iterator[Contradiction]:
    server, session = settings.server, settings.session
    if need_portal and not server.portal_url:
        hint = "such as https://auth.example.com, in the file or as GATEWAY_SERVER_PORTAL_URL"
        yield Contradiction("server.portal_url", "is missing", hint)
    if server.listen == server.internal_listen and not server.listen.endswith(":0"):
        yield Contradiction("server.internal_listen", f"is {server.listen}, where server.listen is already")
    if session.idle > session.absolute:
        yield Contradiction("session.idle", "is longer than session.absolute, which would always end first")
    yield from _cookie_contradictions(settings.portal_host, session.cookie_domain)


def _cookie_contradictions(portal: str, domains: tuple[str, ...]) -> Iterator[Contradiction]:
    name = "session.cookie_domain"
    for domain in domains:
        if public_suffixes().is_public(domain):
            yield Contradiction(name, f"is {domain}, under which strangers register names; browsers refuse that")
    if portal and not domains:
        yield Contradiction("server.portal_url", f"has no domain to share with apps: {portal} stands alone")
    elif portal and not any(inside(portal, domain) for domain in domains):
        yield Contradiction(name, f"is {' and '.join(domains)}, but the portal {portal} is under none of it")
