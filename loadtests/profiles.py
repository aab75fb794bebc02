"""The profiles: what the pages of three apps ask for, and in which waves. Data only.

Counts are those of a cold browser cache; where an app's releases differ, the higher number is taken, because the burst
is what hurts. Where a page opens a WebSocket, its first request stands for it: that is the one that is checked.
"""

from __future__ import annotations

from waves import Asset, Profile, Trickle, Wave

# Actual Budget, a private app. Wave 3 is the one that hurts: the worker asks for every migration of the budget's schema
# with one Promise.all. What trickles in is one request for each change that a person makes.
ACTUAL_BUDGET = Profile(
    app="actual",
    public=False,
    trickle=Trickle(Wave("5 edits", (Asset("/sync/sync", "api", method="POST"),)), 8, (0.5, 1.5)),
    opening=(
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
    ),
)

_THUMBNAIL = "/api/assets/{{n:08x}}-0000-4000-8000-{:012}/thumbnail?size=thumbnail"

# Immich. Its page preloads every chunk of its code at once, and then it is the thumbnails: a screen of them, and as many
# again with every turn of the wheel.
IMMICH = Profile(
    app="immich",
    public=True,
    trickle=Trickle(Wave("4 scrolling", (Asset(_THUMBNAIL.format(2), "icon", 40),)), 4, (0.7, 1.3)),
    opening=(
        Wave(
            "1 page",
            (
                Asset("/", "html"),
                Asset("/manifest.json", "manifest"),
                Asset("/favicon-{n}.png", "icon", 2),
                Asset("/_app/immutable/assets/{n:08x}.css", "css", 6),
                Asset("/_app/immutable/assets/Overpass-{n}.woff2", "font", 2),
                Asset("/_app/immutable/entry/start.{n:08x}.js", "js"),
                Asset("/_app/immutable/entry/app.{n:08x}.js", "js"),
                Asset("/_app/immutable/nodes/{n}.js", "js", 8),
                Asset("/_app/immutable/chunks/{n:08x}.js", "js", 60),
            ),
        ),
        Wave(
            "2 account",
            (
                Asset("/api/server/features", "api"),
                Asset("/api/server/config", "api"),
                Asset("/api/users/me", "api"),
                Asset("/api/users/me/preferences", "api"),
                Asset("/api/server/about", "api"),
                Asset("/api/server/storage", "api"),
                Asset("/api/server/version", "api"),
                Asset("/api/memories", "api"),
                Asset("/api/notifications", "api"),
                Asset("/api/albums?shared=true", "api"),
                Asset("/api/timeline/buckets", "api"),
                Asset("/api/timeline/bucket?timeBucket=2026-{n:02}-01", "api", 3),
                Asset("/api/socket.io/?EIO=4&transport=polling&t={n}", "api", 3),
                Asset("/api/socket.io/?EIO=4&transport=websocket", "api"),
            ),
        ),
        Wave("3 first screen", (Asset(_THUMBNAIL.format(1), "icon", 60),)),
    ),
)

# KitchenOwl. Few requests, but its page waits four seconds for its health and five for the rest; then it says that it is
# disconnected, and asks for everything again.
KITCHENOWL = Profile(
    app="kitchenowl",
    public=True,
    patience=4.0,
    trickle=Trickle(Wave("5 polling", (Asset("/socket.io/?EIO=4&transport=polling&t={n}", "api"),)), 2, (2.0, 6.0)),
    opening=(
        Wave(
            "1 page",
            (
                Asset("/", "html"),
                Asset("/manifest.json", "manifest"),
                Asset("/favicon.ico", "icon"),
                Asset("/icons/Icon-192.png", "icon"),
                Asset("/flutter_bootstrap.js", "js"),
                Asset("/main.dart.js", "js"),
                Asset("/flutter_service_worker.js", "js"),
                Asset("/canvaskit/canvaskit.js", "js"),
                Asset("/canvaskit/canvaskit.wasm", "data"),
            ),
        ),
        Wave(
            "2 assets",
            (
                Asset("/assets/AssetManifest.bin.json", "data"),
                Asset("/assets/FontManifest.json", "data"),
                Asset("/assets/fonts/Roboto-{n}.ttf", "font", 12),
                Asset("/assets/fonts/Items.ttf", "font"),
                Asset("/assets/fonts/MaterialIcons-Regular.otf", "font"),
            ),
        ),
        Wave(
            "3 health",
            (
                Asset("/api/health/{n:032x}", "api"),
                Asset("/api/auth/refresh", "api"),
            ),
        ),
        Wave(
            "4 household",
            (
                Asset("/api/user", "api"),
                Asset("/api/household", "api"),
                *(
                    Asset(f"/api/household/1/{family}", "api")
                    for family in ("shoppinglist", "item", "recipe", "planner", "category", "tag", "expense", "member")
                ),
                Asset("/api/upload/{n:08x}.jpg", "icon", 8),
                Asset("/socket.io/?EIO=4&transport=polling&t={n}", "api", 2),
                Asset("/socket.io/?EIO=4&transport=polling", "api", method="POST"),
            ),
        ),
    ),
)

ALL = {profile.app: profile for profile in (ACTUAL_BUDGET, IMMICH, KITCHENOWL)}
