"""A request whose head was read, before anybody has judged it: what the doors give to whoever carries it on."""

from __future__ import annotations

from typing import NamedTuple

from gateway.messages.bodies import Chunked, Counted
from gateway.model import Headers


class Request(NamedTuple):
    """``headers`` have names in lower case; ``block`` is the same as lines, ``name: value``, with names as they were
    spelled. ``rest`` is what has come behind the head. ``closes``: the connection ends with the answer; ``stays``: it
    is read with care from now on, because a body has been on it."""

    method: str
    target: bytes
    version: str
    headers: Headers
    block: bytes
    body: Counted | Chunked | None = None
    closes: bool = False
    stays: bool = False
    rest: bytes = b""

    def __repr__(self) -> str:
        return f"Request({self.method})"


class Errand(NamedTuple):
    """Where a request goes (an address in its normal form). ``repeatable``: asking twice does what asking once does.
    ``key`` is that of a WebSocket's handshake, ``upgrade`` any other protocol that may be spoken from then on;
    ``trailers``: the client takes them."""

    upstream: str
    repeatable: bool = False
    key: bytes = b""
    upgrade: bytes = b""
    trailers: bool = False

    def __repr__(self) -> str:
        return f"Errand({self.upstream})"
