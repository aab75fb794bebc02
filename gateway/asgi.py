"""The gateway as an ASGI application, for uvicorn's worker processes and for whoever brings a server of their own:
``uvicorn --factory gateway.asgi:create`` (other servers have no express door, which only ``gateway serve`` gives).

Part of the roof: it reads the environment. It expects a database that is migrated.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from pathlib import Path

from gateway import collector
from gateway import settings as settings_room
from gateway.app import Gateway
from gateway.endpoints.listening import Address, address
from gateway.errors import CannotStart
from gateway.observe import logs
from gateway.settings import Settings
from gateway.storage import migrate, ringfile
from gateway.storage.embedded import Embedded
from gateway.tokens import Ring


def create(seats: Path | None = None) -> Gateway:
    """The application that the environment describes (GATEWAY_CONFIG and the settings' variables). ``seats`` is the
    directory where the workers of one replica find one another's numbers."""
    directory = Path(os.environ.get("GATEWAY_CONFIG") or "config")
    settings, _ = settings_room.load(directory, os.environ)
    logs.configure(settings.log.format, settings.log.level)
    _end_with_parent(seats)
    url = settings.database.url or Embedded(settings.server.data_dir).attach()
    if url is None:
        raise CannotStart("no database: set GATEWAY_DATABASE_URL, or run `gateway serve`, which brings one along")
    return build(settings, url, directory, address(settings.server.internal_listen), seats)


def build(settings: Settings, url: str, directory: Path, internal: Address, seats: Path | None = None) -> Gateway:
    """The application on the database ``url``; its metrics answer on the socket bound to ``internal``."""
    listen_url = settings.database.listen_url or url
    return Gateway(
        settings,
        keys(settings, url),
        url,
        listen_url,
        config=directory,
        internal=internal,
        seats=seats,
        settled=collector.settle,
    )


def keys(settings: Settings, url: str) -> Ring:
    """The signing keys, made at the very first start; CannotStart where they are not this database's."""
    with migrate.connect(url) as connection:
        return ringfile.open_ring(settings.server.keys_file, connection)


def _end_with_parent(seats: Path | None) -> None:
    """A worker whose supervisor was killed must not go on holding the port, and what that one made is cleared away."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        if seats is not None:
            shutil.rmtree(seats, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
