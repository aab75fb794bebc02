"""What a browser asks for when it opens an app: waves of requests, as data.

Here: paths, kinds and counts of one first paint. Not here: how they are sent (the locustfiles) or what an answer must
be. Counts are those of a cold browser cache; where an app's releases differ, the higher number is taken, because the
burst is what hurts. A wave begins when the one before has been answered; within a wave a browser asks for as much at
once as its connections allow.
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

# Actual Budget, a private app. Wave 3 is the one that hurts: the worker asks for every migration of the budget's schema
# with one Promise.all.
ACTUAL_BUDGET = (
    Wave(
        "1 page",
        (
            Asset("/", "html"),
            Asset("/site.webmanifest", "manifest"),
            Asset("/favicon-32x32.png", "icon"),
            Asset("/apple-touch-icon.png", "icon"),
            Asset("/static/js/index.{n:08x}.js", "js"),
            Asset("/static/js/{n:08x}.chunk.js", "js", 14),
            Asset("/static/css/{n:08x}.chunk.css", "css", 4),
            Asset("/static/media/Inter-{n:08x}.woff2", "font", 4),
        ),
    ),
    Wave(
        "2 worker",
        (
            Asset("/kcab/kcab.worker.{n:08x}.js", "worker", 4),
            Asset("/sql-wasm.wasm", "data"),
            Asset("/data-file-index.txt", "data"),
        ),
    ),
    Wave(
        "3 migrations",
        (
            Asset("/data/default-db.sqlite", "data"),
            Asset("/data/migrations/{n:013}_change.sql", "data", 50),
        ),
    ),
    Wave(
        "4 account",
        (
            Asset("/account/needs-bootstrap", "api"),
            Asset("/info", "api"),
            Asset("/account/validate", "api"),
            Asset("/account/login-methods", "api"),
            Asset("/sync/list-user-files", "api", method="POST"),
            Asset("/sync/get-user-file-info", "api", method="POST"),
        ),
    ),
)

SYNC = Asset("/sync/sync", "api", method="POST")
"""What it sends for each change that a person makes."""
SYNCS = 8
"""Changes in one visit; then the page is opened again."""
PAUSE = (0.5, 1.5)
"""Seconds between two changes."""
EVERY = 100
"""One request in so many comes from somebody who is not signed in."""
