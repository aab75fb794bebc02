"""What differs between two ways of one exchange: what reached the app, and what reached the client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from relay.differential.exchanges import Pair
from relay.differential.reading import Content
from relay.differential.recording import Arrived
from relay.differential.talking import Got

Facts = Mapping[str, object]
Lines = list[Pair]


class Way(NamedTuple):
    """One exchange as it went by the relay, or by nginx."""

    arrived: Sequence[Arrived]
    got: Got


class Difference(NamedTuple):
    """``side``: "app" or "client". ``what``: a header's name in lower case, then both ways are its lines, None where there
    is none; or a word in brackets."""

    side: str
    what: str
    relay: object
    nginx: object


def differences(relay: Way, nginx: Way) -> list[Difference]:
    """All of them; where one has no message, or another one, that alone."""
    return [*_between("app", _arrived(relay), _arrived(nginx)), *_between("client", _got(relay), _got(nginx))]


def _between(side: str, relay: Facts, nginx: Facts) -> list[Difference]:
    if relay["(message)"] != nginx["(message)"]:
        return [Difference(side, "(message)", relay["(message)"], nginx["(message)"])]
    names = dict.fromkeys([*relay, *nginx])
    found = [Difference(side, name, relay.get(name), nginx.get(name)) for name in names]
    same = {name for name in names if relay.get(name) == nginx.get(name) and not name.startswith("(")}
    found.append(Difference(side, "(order)", [x for x in relay if x in same], [x for x in nginx if x in same]))
    return [each for each in found if each.relay != each.nginx]


def _arrived(way: Way) -> Facts:
    if len(way.arrived) != 1:
        return {"(message)": f"{len(way.arrived)} messages"}
    (one,) = way.arrived
    return {"(message)": one.head.first, **_body(one.body), **_headers(one.head.pairs)}


def _got(way: Way) -> Facts:
    """Of an answer that is not the app's the status alone is compared: each proxy has its own words."""
    got = way.got
    facts: dict[str, object] = {"(message)": got.wrong or got.head.first, "(ended)": got.ended}
    if way.arrived:
        facts["(interim)"] = [head.first for head in got.interim]
        facts |= {**_body(got.body), **_headers(got.head.pairs)}
    return facts


def _body(body: Content) -> Facts:
    return {"(framing)": body.framing, "(content)": body.data, "(trailers)": body.trailers}


def _headers(pairs: Sequence[Pair]) -> Facts:
    """Each name with all its lines, as they are spelled."""
    found: dict[str, Lines] = {}
    for name, value in pairs:
        found.setdefault(name.decode("latin-1").lower(), []).append((name, value))
    return found
