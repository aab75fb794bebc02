"""Every key of ``gateway.yaml``, as a table: where it stands, how its value is read, how a variable says it.

The defaults are not here but in ``settings``. Only ``settings`` and ``settings_source`` call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import addresses, values
from gateway.documents import scalar
from gateway.values import count, duration, positive_duration, truth

SHORTEST_SECRET = 16
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/][A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
"""RFC 7468 section 5."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key. ``read`` checks a plain value; ``spoken`` makes that plain value of a variable's text; a ``secret`` may
    also be given as the name of a file."""

    section: str
    key: str
    read: Callable[[object], Any]
    spoken: Callable[[str], object] = str
    secret: bool = False

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        return f"GATEWAY_{self.section}_{self.key}".upper()


def commas(text: str) -> list[object]:
    """A list as a variable says it: ``10.0.0.0/8,192.0.2.7``."""
    return [part.strip() for part in text.split(",") if part.strip()]


def absolute(value: object) -> Path:
    """A path that means the same file whatever directory the gateway is started in."""
    found = Path(values.text(value))
    if not found.is_absolute():
        raise ValueError(f'must be a whole path that begins with "/", not {values.said(value)}')
    return found


def authorities(value: object) -> Path:
    """A PEM file with one certificate or more. What they are worth is seen when they are used: nothing here knows TLS."""
    file = absolute(value)
    try:
        written = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    if not _CERTIFICATE.search(written):
        raise ValueError(f"{file} holds no certificate in PEM (-----BEGIN CERTIFICATE----- and what follows)")
    return file


def database_url(value: object) -> str:
    """A PostgreSQL URL. It may hold a password, so no message repeats it."""
    if not values.text(value).startswith(("postgresql://", "postgres://")):
        raise ValueError("must be a URL such as postgresql://gateway@db.example.com/gateway")
    return str(value)


def secret(value: object) -> str:
    """What a proxy sends in a header to prove itself: visible ASCII, long enough not to be guessed. No message repeats
    it, not even one that YAML takes for a number."""
    if not isinstance(value, str):
        raise ValueError("must be a text; put quotes around it")
    written = values.text(value)
    if not written.isascii() or not written.isprintable() or " " in written:
        raise ValueError("must be letters, digits and signs of ASCII, without spaces")
    if len(written) < SHORTEST_SECRET:
        raise ValueError(f"must be at least {SHORTEST_SECRET} characters long")
    return written


def proxies(value: object) -> tuple[addresses.Network, ...]:
    """Networks of trusted proxies; none at all is fine, everybody is not (CVE-2026-20896)."""
    if value == []:
        return ()
    networks = tuple(addresses.network(item) for item in values.texts(value))
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("would believe everybody; name the addresses of your proxies")
    return networks


def cookie_domains(value: object) -> tuple[str, ...]:
    """One domain or a list; a leading dot says nothing since RFC 6265."""
    written = values.texts([value] if isinstance(value, str) else value)
    return tuple(dict.fromkeys(addresses.host(item.removeprefix(".")) for item in written))


def reach(value: object) -> str:
    """How far a sign-in reaches."""
    if value == "host":
        raise ValueError('"host" comes later; only "domain" exists so far')
    return values.choice("domain")(value)


FIELDS = (
    Field("server", "listen", addresses.listen),
    Field("server", "internal_listen", addresses.listen),
    Field("server", "portal_url", addresses.portal_url),
    Field("server", "workers", count(1), scalar),
    Field("server", "express", truth, scalar),
    Field("server", "data_dir", absolute),
    Field("server", "keys_file", absolute),
    Field("database", "url", database_url, secret=True),
    Field("database", "listen_url", database_url, secret=True),
    Field("database", "pool_size", count(1), scalar),
    Field("database", "migrate", truth, scalar),
    Field("cache", "max_identities", count(1), scalar),
    Field("cache", "preload", count(0), scalar),
    Field("cache", "max_age", positive_duration),
    Field("cache", "grace", duration),
    Field("cache", "outage", duration),
    Field("trust", "proxies", proxies, commas),
    Field("trust", "unix", truth, scalar),
    Field("trust", "secret", secret, secret=True),
    Field("session", "idle", positive_duration),
    Field("session", "absolute", positive_duration),
    Field("session", "cookie_domain", cookie_domains, commas),
    Field("session", "reach", reach),
    Field("upstream", "connect", positive_duration),
    Field("upstream", "answer", duration),
    Field("upstream", "idle", positive_duration),
    Field("upstream", "connections", count(1), scalar),
    Field("upstream", "ca_file", authorities),
    Field("log", "format", values.choice("auto", "console", "json")),
    Field("log", "level", values.choice("debug", "info", "warning", "error")),
)


def keys(section: str) -> list[str]:
    """The keys of a section as a file may write them, a secret's ``*_file`` too."""
    fields = [field for field in FIELDS if field.section == section]
    return [field.key for field in fields] + [f"{field.key}_file" for field in fields if field.secret]


SECTIONS = tuple(dict.fromkeys(field.section for field in FIELDS))
