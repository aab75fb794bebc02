"""What of a client's head goes on to an app, as places in its lines.

Pure, and nothing is added here: what is kept are bytes of the head as it was sent. Hop-by-hop headers and those that
Connection names go (RFC 9110 section 7.6.1), the framing (the caller writes it anew), every spelling of what only a
proxy may say, our own cookies and keys; all else stays byte for byte. The caller writes identity behind it, so naming
an identity header in Connection takes nothing away (CVE-2024-45410).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.cleaning.names import HOP_BY_HOP, OVERRIDES, WRITTEN_ANEW, Fate, Names, is_proxies, nominated
from gateway.model import Headers
from gateway.tokens import PREFIXES

Range = tuple[int, int]
"""From which byte on, and up to which."""
_API_KEY = PREFIXES["api_key"].encode()
_VALUES = {b"cookie": Fate.COOKIE, b"x-api-key": Fate.API_KEY, b"host": Fate.KEPT}
_BLANK = b" \t"


@dataclass(frozen=True, slots=True)
class Rules:
    """What is taken out of a client's head for one app: ``cookies`` by their exact names, ``identity`` headers by their
    names in lower case, and method ``overrides`` where a rule of this app names methods."""

    cookies: tuple[bytes, ...]
    identity: frozenset[bytes]
    overrides: bool


def cuts(headers: Headers, rules: Rules) -> list[Range]:
    """The ranges of ``gateway.headers.lines(headers)`` that go on, in order, none touching the next.

    Names may be in any case. That Host stands there once has been seen to before (``messages.heads``).
    """
    kept: list[Range] = []
    at = 0
    for start, end in _gaps(headers, rules):
        if start > at:
            kept.append((at, start))
        at = end
    end = sum([len(name) + len(value) + 4 for name, value in headers])
    return [*kept, (at, end)] if end > at else kept


def wants_trailers(headers: Headers) -> bool:
    """Whether the client takes trailers (RFC 9110 section 10.1.4)."""
    said = [value for name, value in headers if name.lower() == b"te"]
    return any(coding.strip(_BLANK).lower() == b"trailers" for value in said for coding in value.split(b","))


def _fate(lower: bytes, normal: bytes) -> Fate:
    if lower == b"connection":
        return Fate.CONNECTION
    if normal in HOP_BY_HOP or normal in WRITTEN_ANEW or is_proxies(normal):
        return Fate.DROPPED
    return Fate.OVERRIDE if normal in OVERRIDES else _VALUES.get(normal, Fate.KEPT)


_names = Names(_fate)


def _gaps(headers: Headers, rules: Rules) -> Iterator[Range]:
    """The ranges that do not go on."""
    named = nominated([value for name, value in headers if _names[name].fate is Fate.CONNECTION])
    at = 0
    for name, value in headers:
        end = at + len(name) + len(value) + 4
        fate, normal = _names[name]
        if normal in rules.identity or (named and name.lower() in named) or _is_dropped(fate, value, rules):
            yield at, end
        elif fate is Fate.COOKIE and any(cookie in value for cookie in rules.cookies):
            yield from _cookies(value, rules.cookies, at, at + len(name) + 2)
        at = end


def _is_dropped(fate: Fate, value: bytes, rules: Rules) -> bool:
    if fate is Fate.KEPT:
        return False
    if fate is Fate.OVERRIDE:
        return rules.overrides
    if fate is Fate.API_KEY:
        return value.startswith(_API_KEY)
    return fate is not Fate.COOKIE


def _cookies(value: bytes, ours: tuple[bytes, ...], line: int, at: int) -> Iterator[Range]:
    """The gaps in a Cookie header, whose ``line`` and value begin there; read as ``credentials.cookies`` reads it, at
    ``;`` alone. With our pairs go empty ones, and the whole line where no other pair is left."""
    pairs = value.split(b";")
    names = [pair.partition(b"=")[0].strip(_BLANK) for pair in pairs]
    if not any(name in ours for name in names):
        return
    kept = [pair.strip(_BLANK) != b"" and name not in ours for pair, name in zip(pairs, names, strict=True)]
    if not any(kept):
        yield line, at + len(value) + 2
        return
    first = kept.index(True)
    begin = at + sum(len(pair) + 1 for pair in pairs[:first])
    after = begin + len(pairs[first]) - len(pairs[first].lstrip(_BLANK))
    if after > at:
        yield at, after
    begin += len(pairs[first])
    for pair, stays in zip(pairs[first + 1 :], kept[first + 1 :], strict=True):
        end = begin + len(pair) + 1
        if not stays:
            yield begin, end
        begin = end
