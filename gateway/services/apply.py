"""Applying ``apps.yaml``: the file is a proposal, the database is the truth.

Each apply is a revision with the file's SHA-256. A replica that starts with a file that is an *earlier* revision does
not undo a newer one; whoever changes the file while a server runs, or types ``gateway apply``, means it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from psycopg.errors import UniqueViolation

from gateway.appsfile import difference
from gateway.errors import Conflict
from gateway.model import App
from gateway.services.ground import Ground, Silent, taking_away
from gateway.storage import apps as rows
from gateway.storage import audit
from gateway.storage.answers import Answers
from gateway.storage.pool import TENANT

LONGEST = 60.0
"""Seconds an apply may hold its connection: thousands of apps are thousands of rows."""


class Applied(NamedTuple):
    """What became of a file: whether it was applied, what differs from what was stored, and who stayed silent."""

    done: bool
    difference: tuple[str, ...]
    silent: Silent = ()
    earlier: bool = False


async def stored(ground: Ground) -> list[App]:
    """The apps as the database has them."""
    policy = await Answers(ground.store).policy()
    return [app for tenant, app in policy.apps if tenant == TENANT]


async def preview(ground: Ground, wanted: Sequence[App]) -> tuple[str, ...]:
    """What an apply would change."""
    return tuple(difference(await stored(ground), list(wanted)))


async def apply(ground: Ground, actor: str, text: str, wanted: Sequence[App]) -> Applied:
    """Make the database say what the file says, whatever it said before."""
    before = await stored(ground)
    changes = tuple(difference(before, list(wanted)))
    digest = digest_of(text)
    try:
        async with taking_away(ground, "apply", LONGEST) as taking:
            await rows.lock(taking.tx)
            await rows.replace(taking.tx, wanted, _changed(before, wanted))
            await rows.note(taking.tx, digest, actor)
            await audit.record(taking.tx, actor, "policy.apply", f"sha256:{digest[:16]}", changes=list(changes))
    except UniqueViolation:
        raise Conflict("a host of this file belongs to another tenant") from None
    return Applied(True, changes, taking.silent)


async def apply_at_start(ground: Ground, actor: str, text: str, wanted: Sequence[App]) -> Applied:
    """As ``apply``, unless the file is what was applied last (nothing to do) or earlier (not undone)."""
    async with ground.store.transaction("apply") as tx:
        before = await rows.applied_before(tx, digest_of(text))
    if before is None:
        return await apply(ground, actor, text, wanted)
    return Applied(False, () if before else await preview(ground, wanted), earlier=not before)


async def apply_if_new(ground: Ground, actor: str, text: str, wanted: Sequence[App]) -> Applied:
    """For a file that changed on disk: always applied, unless its digest is what was applied last."""
    async with ground.store.transaction("apply") as tx:
        before = await rows.applied_before(tx, digest_of(text))
    return Applied(False, ()) if before else await apply(ground, actor, text, wanted)


def digest_of(text: str) -> str:
    """How a file is known."""
    return sha256(text.encode()).hexdigest()


def _changed(before: Sequence[App], wanted: Sequence[App]) -> set[str]:
    """Names to write: new, different, or standing at another place."""
    known = {app.name: (place, app) for place, app in enumerate(before)}
    return {app.name for place, app in enumerate(wanted) if known.get(app.name) != (place, app)}
