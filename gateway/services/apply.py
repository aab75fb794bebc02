"""Applying ``apps.yaml``: the file is a proposal, the database is the truth.

Each apply is a revision with the file's SHA-256. A replica that starts with a file that is an *earlier* revision does
not undo a newer one; whoever changes the file while a server runs, or types ``gateway apply``, means it. Applies take
turns, and each compares with what is stored when its turn has come, so two at once leave one of the files, never a
mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from gateway import appsfile
from gateway.errors import ConfigurationInvalid, Problem
from gateway.model import App
from gateway.services.ground import Ground, Silent, taking_away
from gateway.storage import apps as rows
from gateway.storage import audit
from gateway.storage.answers import Answers, stored_policy
from gateway.storage.pool import TENANT, Connection

LONGEST = 60.0
"""Seconds an apply may hold its connection: thousands of apps are thousands of rows."""
ORDER = "~ the apps stand in another order"


class Proposal(NamedTuple):
    """A policy as files say it: the text by which it is known again, and its apps."""

    text: str
    apps: list[App]


class Applied(NamedTuple):
    """What became of a proposal: whether it was applied, what differed from what was stored, and who stayed silent."""

    done: bool
    difference: tuple[str, ...]
    silent: Silent = ()
    earlier: bool = False


Needed = Callable[[bool | None, bool], bool]
"""Whether to apply, knowing if it was applied before (True: last, False: earlier, None: never) and says the same."""


def read(files: Sequence[Path], portal_host: str) -> Proposal:
    """Several files are one policy. ConfigurationInvalid with all that is wrong with any of them."""
    problems: list[Problem] = []
    texts = {str(file): _text(file, problems) for file in files}
    try:
        apps = appsfile.read_all(texts, portal_host=portal_host)
    except ConfigurationInvalid as error:
        problems += error.problems
    if problems:
        raise ConfigurationInvalid(problems)
    return Proposal("\n---\n".join(texts.values()), apps)


async def stored(ground: Ground) -> list[App]:
    """The apps as the database has them."""
    return _ours((await Answers(ground.store).policy()).apps)


async def preview(ground: Ground, wanted: Sequence[App]) -> tuple[str, ...]:
    """What an apply would change."""
    return _difference(await stored(ground), wanted)


async def apply(ground: Ground, actor: str, text: str, wanted: Sequence[App]) -> Applied:
    """Make the database say what was proposed, whatever it said before. The last proposal once more is no new revision,
    unless somebody edited rows by hand since."""
    return await _apply(
        ground, actor, Proposal(text, list(wanted)), lambda before, same: before is not True or not same
    )


async def apply_at_start(ground: Ground, actor: str, text: str, wanted: Sequence[App]) -> Applied:
    """As ``apply``, unless this is what was applied last (nothing to do) or earlier (not undone)."""
    return await _apply(ground, actor, Proposal(text, list(wanted)), lambda before, same: before is None)


async def apply_if_new(ground: Ground, actor: str, text: str, wanted: Sequence[App]) -> Applied:
    """For a file that changed on disk: always applied, unless it is what was applied last."""
    return await _apply(ground, actor, Proposal(text, list(wanted)), lambda before, same: before is not True)


async def _apply(ground: Ground, actor: str, proposal: Proposal, needed: Needed) -> Applied:
    async with taking_away(ground, "apply", LONGEST) as taking:
        await rows.lock(taking.tx, LONGEST)
        before = await rows.applied_before(taking.tx, digest_of(proposal.text))
        apps = _ours((await stored_policy(taking.tx)).apps)
        changes = _difference(apps, proposal.apps)
        taking.needed = needed(before, apps == proposal.apps)
        if taking.needed:
            await _write(taking.tx, actor, proposal, apps, changes)
    return Applied(taking.needed, changes, taking.silent, earlier=before is False and not taking.needed)


async def _write(tx: Connection, actor: str, proposal: Proposal, apps: list[App], changes: tuple[str, ...]) -> None:
    await rows.replace(tx, proposal.apps, _changed(apps, proposal.apps))
    digest = digest_of(proposal.text)
    await rows.note(tx, digest, actor)
    await audit.record(tx, actor, "policy.apply", f"sha256:{digest[:16]}", changes=list(changes))


def digest_of(text: str) -> str:
    """How a file is known."""
    return sha256(text.encode()).hexdigest()


def _text(file: Path, problems: list[Problem]) -> str:
    try:
        return file.read_bytes().decode("utf-8")  # to the byte, because its digest is compared
    except UnicodeDecodeError:
        problems.append(Problem(str(file), "is not UTF-8 text"))
    except OSError as error:
        problems.append(Problem(str(file), f"cannot be read: {error.strerror}"))
    return ""


def _ours(stored: Sequence[tuple[int, App]]) -> list[App]:
    return [app for tenant, app in stored if tenant == TENANT]


def _difference(before: Sequence[App], wanted: Sequence[App]) -> tuple[str, ...]:
    lines = appsfile.difference(before, wanted)
    return tuple(lines) if lines or list(before) == list(wanted) else (ORDER,)


def _changed(before: Sequence[App], wanted: Sequence[App]) -> set[str]:
    """Names to write: new, different, or standing at another place."""
    known = {app.name: (place, app) for place, app in enumerate(before)}
    return {app.name for place, app in enumerate(wanted) if known.get(app.name) != (place, app)}
