"""Hosts, origins, networks and sockets, as people write them in configuration: one normal form each, or ValueError.

Standard library only; no request comes here (that is ``target``). A host that is written in two ways is two keys of one
table, so everything that compares hosts compares what ``host`` returns.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from gateway import values

Network = IPv4Network | IPv6Network

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}
_UNIX_LIMIT = 107
"""Bytes of a Unix socket's path; sun_path has room for 108 with its end."""


def host(value: object) -> str:
    """A host name in lower case, without port or trailing dot, IDN names as A-labels."""
    written = values.text(value)
    name = _ascii(written.removesuffix(".").lower(), written)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f'"{written}" is not a host name{_why(written)}')
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise ValueError(f'"{written}" is an address; sign-ins need a name, because no cookie is shared by addresses')
    return name


def host_pattern(value: object) -> str:
    """A host, or ``*.`` and a host: every name below it, at any depth, but not the host itself."""
    written = values.text(value)
    return f"*.{host(written[2:])}" if written.startswith("*.") and written[2:].strip() else host(written)


def covers(pattern: str, name: str) -> bool:
    """Whether an app's host (``a.example.com`` or ``*.example.com``, which example.com itself is not) is this host."""
    return pattern == name or (pattern.startswith("*.") and name.endswith(pattern[1:]))


def inside(name: str, domain: str) -> bool:
    """Whether a host is this domain or lies under it."""
    return f".{name}".endswith(f".{domain}")


def base_url(value: object) -> str:
    """``http(s)://host[:port]`` and nothing behind it; the host may be an address."""
    parts = _split(value)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("must end after the host and port: no path, no query")
    return f"{parts.scheme}://{_authority(parts)}"


class Place(NamedTuple):
    """Where an app listens. ``path`` is that of a Unix socket: then it is http at localhost, and ``port`` is None."""

    scheme: str
    host: str
    port: int | None
    path: str = ""


def upstream(value: object) -> str:
    """Where an app listens: a base URL, or ``unix:/path`` of a socket that speaks http."""
    written = values.text(value)
    if written.startswith("unix:"):
        return f"unix:{_socket(written.removeprefix('unix:'))}"
    return base_url(value)


def place(url: str) -> Place:
    """The normal form of an ``upstream``, taken apart; the port of its scheme where it names none."""
    if url.startswith("unix:"):
        return Place("http", "localhost", None, url.removeprefix("unix:"))
    parts = urlsplit(url)
    return Place(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme])


def portal_url(value: object) -> str:
    """A base URL that a browser keeps sign-in cookies for: https, or http for hosts under .localhost."""
    url = base_url(value)
    parts = urlsplit(url)
    name = host(parts.hostname)
    if parts.scheme == "http" and not name.endswith(".localhost"):
        raise ValueError(f"must begin with https:// (http is for hosts under .localhost only, and {name} is not)")
    return url


def network(value: object) -> Network:
    """A network, or a single address; one that was meant as IPv4 must be written as IPv4."""
    written = values.text(value)
    try:
        found = ip_network(written)
    except ValueError:
        raise ValueError(_not_a_network(written)) from None
    if isinstance(found, IPv6Network) and found.network_address.scope_id:
        raise ValueError(f'"{written}" names a zone; leave the part from % on out')
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped:
        raise ValueError(f'"{written}" is IPv4 inside IPv6; write it as IPv4')
    return found


def listen(value: object) -> str:
    """``host:port`` or ``unix:/path``; port 0 means any that is free."""
    written = values.text(value)
    if written.startswith("unix:"):
        return f"unix:{_socket(written.removeprefix('unix:'))}"
    name, _, port = written.rpartition(":")
    if not name or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'must be host:port (such as 127.0.0.1:8000) or unix:/path, not "{written}"')
    return f"{_bindable(name)}:{int(port)}"


def _ascii(name: str, written: str) -> str:
    """A-labels by the standard library (IDNA 2003); what browsers (2008) would read differently is refused."""
    if name.isascii():
        return name
    try:
        encoded = name.encode("idna").decode()
        same = encoded.encode().decode("idna") == name
    except UnicodeError:
        same = False
    if not same:
        raise ValueError(f'"{written}" is not read alike everywhere; write the xn-- form that your browser shows')
    return encoded


def _why(written: str) -> str:
    if "://" in written or "/" in written:
        return "; leave out the scheme and the path"
    if ":" in written:
        return "; leave out the port"
    if "*" in written:
        return "; a wildcard is *.example.com, the whole first label"
    return ""


def _split(value: object) -> SplitResult:
    """The parts of an http(s) URL. What is refused here is not repeated in the message: it may hold a password."""
    written = values.text(value)
    if not written.isascii() or not written.isprintable() or " " in written or "\\" in written:
        raise ValueError("has a character that no URL has; write host names in their xn-- form")
    try:
        parts = urlsplit(written)
        usable = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("must be a URL such as https://auth.example.com")
    if "@" in parts.netloc:
        raise ValueError("must not carry a user name or password")
    return parts


def _authority(parts: SplitResult) -> str:
    name = parts.hostname or ""
    shown = f"[{ip_address(name).compressed}]" if ":" in name else _host_or_address(name)
    return shown if parts.port in {None, _PORTS[parts.scheme]} else f"{shown}:{parts.port}"


def _host_or_address(name: str) -> str:
    try:
        return ip_address(name).compressed
    except ValueError:
        return host(name)


def _not_a_network(written: str) -> str:
    try:
        meant = ip_network(written, strict=False)
    except ValueError:
        return f'"{written}" is not a network such as 10.0.0.0/8 or an address'
    return (
        f'"{written}" is not the first address of its network; write {meant}, or the address without /{meant.prefixlen}'
    )


def _socket(path: str) -> str:
    if not path.startswith("/") or len(path.encode()) > _UNIX_LIMIT:
        raise ValueError(f"needs an absolute path of at most {_UNIX_LIMIT} bytes behind unix:, not {path!r}")
    return path


def _bindable(name: str) -> str:
    if name.startswith("[") and name.endswith("]"):
        return f"[{_address(name[1:-1])}]"
    if ":" in name:
        raise ValueError(f'"{name}" needs brackets, as in [::1]:8000')
    return _host_or_address(name)


def _address(text: str) -> str:
    try:
        return ip_address(text).compressed
    except ValueError:
        raise ValueError(f'"{text}" is not an address') from None
