"""Visits of the doctor: a person whom the rules let in, with a session and a key that live for two minutes at most.

Both are made and ended as everybody's are, so the audit has them; they are ended whatever happens in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway import headers, policy, tokens
from gateway.errors import NotFound
from gateway.logins import SECOND_FACTORS
from gateway.model import AccessRequest, Allow, App, Credential, Headers, Identity
from gateway.services import api_keys, sessions, users
from gateway.services.entries import Entries
from gateway.services.ground import Ground, Silent
from gateway.storage.answers import Answers
from gateway.storage.pool import TENANT

LIFETIME = 120.0
MOST = 100
"""People who are asked about until one is found whom the rules let in."""


@dataclass(slots=True)
class Visitor:
    """Who visits, what they present, and what the gateway answers about them. ``silent``, once it is over: who did not
    acknowledge the end."""

    name: str
    session: str = field(repr=False)
    key: str = field(repr=False)
    identity: Headers
    silent: Silent = ()


@asynccontextmanager
async def visiting(
    ground: Ground, actor: str, name: str, app: str, template: headers.Template, audience: str
) -> AsyncIterator[Visitor]:
    """``name`` with a session and a key for ``app``, until the end of the block."""
    silent: list[str] = []
    async with AsyncExitStack() as stack:
        number, session = await sessions.create(ground, actor, name, LIFETIME, audience)
        stack.push_async_callback(_end_session, ground, actor, number, silent)
        number, key = await api_keys.create(ground, actor, name, "gateway doctor", [app], LIFETIME)
        stack.push_async_callback(_end_key, ground, actor, number, silent)
        visitor = Visitor(name, session, key, headers.render(template, await _proven(ground, key)) or [])
        yield visitor
    visitor.silent = tuple(sorted(set(silent)))


async def whom(
    ground: Ground, request: AccessRequest, apps: Sequence[tuple[int, App]], audience: str, now: float, only: str | None
) -> str | None:
    """The first person by name (or ``only`` that one) whom the rules let in there with one factor, or None."""
    app = policy.compile_policy(0, apps).app(request.host)
    listed = [user for user in await users.listing(ground) if only in (None, user.name)]
    if only is not None and not listed:
        raise NotFound(f"there is no user called {only}")
    for user in [user for user in listed if not user.disabled][:MOST]:
        identity = Identity(TENANT, user.id, user.name, user.display, groups=frozenset(user.groups), audience=audience)
        if app is not None and isinstance(policy.decide(app, request, identity, None, now), Allow):
            return user.name
    return None


async def _proven(ground: Ground, key: str) -> Identity | None:
    """Who the gateway takes the key's bearer for: the same lookup as a cold check's."""
    credential = Credential("api_key", tokens.digest(ground.ring(), key.encode()))
    async with Answers(ground.store).asking() as ask:
        answer = await ask([credential])
    return (
        Entries(LIFETIME, SECOND_FACTORS).entry(credential, answer.facts.get(credential), 0.0, float("-inf")).identity
    )


async def _end_session(ground: Ground, actor: str, number: int, silent: list[str]) -> None:
    with suppress(NotFound):  # somebody else was faster
        silent += await sessions.revoke(ground, actor, number)


async def _end_key(ground: Ground, actor: str, number: int, silent: list[str]) -> None:
    with suppress(NotFound):
        silent += await api_keys.revoke(ground, actor, number)
