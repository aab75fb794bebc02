"""``apps.yaml`` while the server runs: read at start, and again whenever the file changes or somebody asks.

An invalid file changes nothing and says why. Everything is said in log lines, because nobody waits for an answer here.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from watchfiles import awatch

from gateway import appsfile
from gateway.errors import ConfigurationInvalid, GatewayError
from gateway.services import apply
from gateway.services.apply import Applied
from gateway.services.ground import Ground

FILE = "apps.yaml"
logger = logging.getLogger("gateway.apps")


class Reload:
    """One file and its database."""

    def __init__(self, ground: Ground, directory: Path, portal_host: str) -> None:
        self._ground, self._path, self._portal_host = ground, directory / FILE, portal_host
        self._turn = asyncio.Lock()

    async def at_start(self) -> None:
        """Apply the file unless the database has been past it. No file: the database says everything."""
        if not self._path.exists():
            return
        text = await asyncio.to_thread(self._path.read_text, "utf-8")
        wanted = appsfile.read(text, str(self._path), portal_host=self._portal_host)
        said = await apply.apply_at_start(self._ground, "start", text, wanted)
        if said.earlier:
            logger.warning(
                "apps.yaml is an earlier revision and was not applied; to go back: gateway apply",
                extra={"difference": list(said.difference), "file": str(self._path)},
            )
        self._say(said)

    async def again(self, actor: str) -> None:
        """Apply the file as it is now."""
        async with self._turn:
            try:
                text = await asyncio.to_thread(self._path.read_text, "utf-8")
                wanted = appsfile.read(text, str(self._path), portal_host=self._portal_host)
                self._say(await apply.apply_if_new(self._ground, actor, text, wanted))
            except ConfigurationInvalid as error:
                problems = [str(problem) for problem in error.problems]
                logger.error("apps.yaml was not applied: it is invalid", extra={"problems": problems})
            except (OSError, ValueError, GatewayError) as error:
                logger.error("apps.yaml was not applied", extra={"problem": str(error)})

    async def watch(self) -> None:
        """Until cancelled. Watches the directory, because editors and orchestrators replace the file."""
        async for changes in awatch(self._path.parent, debounce=200, step=50, recursive=False):
            if any(Path(name).name in (FILE, "..data") for _, name in changes):
                await self.again("file")

    def _say(self, said: Applied) -> None:
        if said.done:
            logger.info("apps.yaml was applied", extra={"difference": list(said.difference)})
        if said.silent:
            logger.warning("replicas did not acknowledge the new policy", extra={"silent": list(said.silent)})
