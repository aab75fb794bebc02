"""The shapes of a profile: what a browser asks for when it opens an app, as data. No app is named here.

A wave begins when the one before has been answered; within a wave a browser asks for as much at once as its connections
allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Kind(NamedTuple):
    """What a browser says of itself when it asks for such a thing (Fetch Metadata and Accept)."""

    accept: str
    mode: str
    dest: str


@dataclass(frozen=True, slots=True)
class Asset:
    """``count`` requests of one kind; ``{n}`` in the path is 1 to ``count``."""

    path: str
    kind: str
    count: int = 1
    method: str = "GET"

    def paths(self) -> list[str]:
        """Every path it stands for."""
        return [self.path.format(n=number) for number in range(1, self.count + 1)]


class Wave(NamedTuple):
    """What is asked for together."""

    name: str
    assets: tuple[Asset, ...]

    def requests(self) -> list[tuple[Asset, str]]:
        """Every request of the wave, in the order in which a page names them."""
        return [(asset, path) for asset in self.assets for path in asset.paths()]


class Trickle(NamedTuple):
    """What follows while the page is open: ``wave``, so many ``times``, a pause of so many seconds before each."""

    wave: Wave
    times: int
    pause: tuple[float, float]


class Profile(NamedTuple):
    """One app. ``public``: its rule lets everybody in. ``patience``: the seconds after which its page gives up."""

    app: str
    opening: tuple[Wave, ...]
    trickle: Trickle
    public: bool
    patience: float | None = None


KINDS = {
    "html": Kind("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "navigate", "document"),
    "icon": Kind("image/avif,image/webp,image/*,*/*;q=0.8", "no-cors", "image"),
    "manifest": Kind("*/*", "cors", "manifest"),
    "js": Kind("*/*", "cors", "script"),
    "css": Kind("text/css,*/*;q=0.1", "no-cors", "style"),
    "font": Kind("*/*", "cors", "font"),
    "worker": Kind("*/*", "same-origin", "worker"),
    "data": Kind("*/*", "cors", "empty"),
    "api": Kind("application/json", "cors", "empty"),
}
