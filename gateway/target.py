"""Reading the original method, scheme, host and path, once, the same way for every caller.

What cannot be read, or what only an attacker writes (dot segments, backslashes, controls), is refused. What real apps
use but parsers disagree on (encoded slashes, empty segments, ``;`` parameters) is marked *unclear*: it is forwarded
untouched, and a rule that would have to look at such a path refuses instead of guessing (RFC 3986 section 3.3 and
6.2.2; CVE-2025-47952, CVE-2025-66490, CVE-2026-73511).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

_METHOD = re.compile(r"[A-Z]+(?:-[A-Z]+)*")
_COMMON = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_SCHEMES = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PLAIN = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()*+,=:@-]+)*/?")
_AT_A_GLANCE = re.compile(r"/[A-Za-z0-9._~!$&'()*+,=:@/-]*(?:\?[!\"$-~]*)?")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_PORTS = {"http": 80, "https": 443}


class Path(NamedTuple):
    """``path`` decoded for rules to match; ``unclear`` says why it has a second reading, or is empty."""

    path: str
    unclear: str


class Unreadable(ValueError):
    """A part of the request that is refused; the message names it without repeating what was sent."""


def method(raw: bytes) -> str:
    """An upper-case method token."""
    if (known := _COMMON.get(raw)) is not None:
        return known
    text = raw.decode("latin-1")
    if len(text) > 32 or not _METHOD.fullmatch(text):
        raise Unreadable("method")
    return text


def scheme(raw: bytes) -> str:
    """``http`` or ``https``; Traefik says ``ws`` and ``wss`` for upgrades."""
    found = _SCHEMES.get(raw) or _SCHEMES.get(raw.lower())
    if found is None:
        raise Unreadable("scheme")
    return found


@lru_cache(maxsize=4096)
def authority(raw: bytes, scheme: str) -> tuple[str, str]:
    """``(host, authority)`` in normal form: lower case, no trailing dot, no default port (RFC 3986 section 6.2.3)."""
    match = _AUTHORITY.fullmatch(raw.decode("latin-1"))
    if match is None or len(raw) > 262:
        raise Unreadable("host")
    host, port = _host(match[1].lower()), match[2]
    if port is None or int(port) == _PORTS[scheme]:
        return host, host
    if not 0 < int(port) < 65536:
        raise Unreadable("port")
    return host, f"{host}:{int(port)}"


def common(raw: bytes) -> tuple[str, str] | None:
    """The request target as sent, and its path, where both are read at a glance: no escape, no odd character, no empty
    segment, none that begins with a dot. That is nearly every one; ``uri`` reads the others."""
    text = raw.decode("latin-1")
    if _AT_A_GLANCE.fullmatch(text) and "//" not in text and "/." not in text:
        return text, text.partition("?")[0]
    return None


def uri(raw: bytes) -> tuple[str, Path]:
    """``(uri, path)``: the request target exactly as sent, and its path as rules read it."""
    if plain := common(raw):
        return plain[0], Path(plain[1], "")
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise Unreadable("path: raw bytes beyond ASCII") from None
    path, _, query = text.partition("?")
    if query and not (query.isprintable() and " " not in query and "#" not in query):
        raise Unreadable("query")
    if path.startswith("/") and _PLAIN.fullmatch(path):
        return text, Path(path, "")
    return text, _slowly(path)


def _host(host: str) -> str:
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1]).compressed}]"
        except ValueError:
            raise Unreadable("host") from None
    host = host.removesuffix(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise Unreadable("host")
    return host


def _slowly(path: str) -> Path:
    """A path with an escape or an odd character in it."""
    if not path.startswith("/"):
        raise Unreadable("path: not absolute")
    if not path.isprintable() or any(character in path for character in " \\#") or _ESCAPE.search(path):
        raise Unreadable("path: a character that does not belong there")
    decoded = _decoded(path)
    if _dotted(decoded):
        raise Unreadable("path: dot segments")
    return Path(decoded, _unclear(path, decoded))


def _decoded(path: str) -> str:
    raw = unquote_to_bytes(path)
    if any(byte < 0x20 or byte == 0x7F or byte == 0x5C for byte in raw):
        raise Unreadable("path: an encoded control character or backslash")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("path: escapes that are not UTF-8") from None


def _dotted(decoded: str) -> bool:
    """Whether any app could see ``.`` or ``..`` here: parameters cut off (``/..;x/``), and decoded a second time."""
    again = unquote_to_bytes(decoded).decode("latin-1").replace("\\", "/")
    segments = {segment.partition(";")[0] for text in (decoded, again) for segment in text.split("/")}
    return bool(segments & {".", ".."})


def _unclear(path: str, decoded: str) -> str:
    if "//" in path:
        return "empty segments"
    if ";" in decoded:
        return "path parameters"
    if "%2f" in path.lower():
        return "an encoded slash"
    if "%23" in path or "%3f" in path.lower():
        return "an encoded delimiter"
    return "a double encoding" if _ENCODED.search(decoded) else ""
