"""``apps.yaml`` while the server runs: read at start, and again whenever the file says something else or somebody asks.

An invalid file changes nothing and says why. Everything is said in log lines, because nobody waits for an answer here.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from watchfiles import awatch

from gateway import appsfile
from gateway.errors import ConfigurationInvalid, GatewayError, Unavailable
from gateway.services import apply
from gateway.services.apply import Applied
from gateway.services.ground import Ground

FILE = "apps.yaml"
EVERY = 5000
"""Milliseconds after which the file is looked at although nothing was heard of it: some file systems tell nothing, and
the database may have been away when it was to be applied."""
logger = logging.getLogger("gateway.apps")


class Reload:
    """One file and its database."""

    def __init__(self, ground: Ground, directory: Path, portal_host: str) -> None:
        self._ground, self._path, self._portal_host = ground, directory / FILE, portal_host
        self._turn = asyncio.Lock()
        self._done_with: bytes | str = ""

    async def at_start(self) -> None:
        """Apply the file unless the database has been past it. No file: the database says everything."""
        if not self._path.exists():
            self._done_with = self._look()
            return
        proposal = await asyncio.to_thread(apply.read, [self._path], self._portal_host)
        self._done_with = proposal.text.encode()
        said = await apply.apply_at_start(self._ground, "start", *proposal)
        if said.earlier:
            logger.warning(
                "apps.yaml is an earlier revision and was not applied; to go back: gateway apply",
                extra={"difference": list(said.difference), "file": str(self._path)},
            )
        self._say(said)

    async def again(self, actor: str) -> None:
        """Apply the file as it is now, because somebody asked."""
        async with self._turn:
            await self._take(actor, await asyncio.to_thread(self._look))

    async def watch(self) -> None:
        """Until cancelled. Watches the directory, because editors and orchestrators replace the file."""
        while True:
            try:
                await self._watch()
            except (OSError, RuntimeError) as error:  # no such directory, or no watches left: looking will do
                logger.debug("the directory of apps.yaml cannot be watched", extra={"problem": str(error)})
            await asyncio.sleep(EVERY / 1000)
            await self.notice()

    async def _watch(self) -> None:
        watching = awatch(
            self._path.parent, debounce=200, step=50, recursive=False, rust_timeout=EVERY, yield_on_timeout=True
        )
        async for _ in watching:
            await self.notice()

    async def notice(self) -> None:
        """Apply the file if it says something else than when it was last dealt with: to touch it asks for nothing."""
        async with self._turn:
            found = await asyncio.to_thread(self._look)
            if found != self._done_with:
                await self._take("file", found)

    async def _take(self, actor: str, found: bytes | str) -> None:
        try:
            self._say(await self._apply(actor, found))
            self._done_with = found
        except ConfigurationInvalid as error:
            problems = [str(problem) for problem in error.problems]
            self._refuse(found, "apps.yaml was not applied: it is invalid", {"problems": problems})
        except Unavailable as error:  # not done with: the next look tries again
            logger.error("apps.yaml was not applied; it will be tried again", extra={"problem": str(error)})
        except (ValueError, GatewayError) as error:
            self._refuse(found, "apps.yaml was not applied", {"problem": str(error)})

    async def _apply(self, actor: str, found: bytes | str) -> Applied:
        if isinstance(found, str):
            raise ValueError(found)
        text = found.decode("utf-8")
        wanted = appsfile.read(text, str(self._path), portal_host=self._portal_host)
        return await apply.apply_if_new(self._ground, actor, text, wanted)

    def _refuse(self, found: bytes | str, what: str, why: dict[str, object]) -> None:
        self._done_with = found
        logger.error(what, extra=why)

    def _look(self) -> bytes | str:
        """What the file holds, or why it cannot be read."""
        try:
            return self._path.read_bytes()
        except OSError as error:
            return f"{self._path} cannot be read: {error.strerror}"

    def _say(self, said: Applied) -> None:
        if said.done:
            logger.info("apps.yaml was applied", extra={"difference": list(said.difference)})
        if said.silent:
            logger.warning("replicas did not acknowledge the new policy", extra={"silent": list(said.silent)})
