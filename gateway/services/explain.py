"""Why a request would be answered as it would: the same walk over the rules, with the person and the policy read now.

Asked as somebody who signed in just now, or as nobody. Nothing is changed and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway import policy
from gateway.errors import NotFound
from gateway.logins import SECOND_FACTORS
from gateway.model import AccessRequest, App, Decision, Deny, Identity
from gateway.policy import Step
from gateway.services.ground import Ground
from gateway.storage import users
from gateway.storage.answers import Answers
from gateway.storage.pool import TENANT
from gateway.storage.users import User

NO_APP = Deny("", 0, "G137", "no app here owns this host")


class Explanation(NamedTuple):
    """The app that owns the host, the rules walked, the decision, and why a named person counts as nobody here."""

    app: App | None
    steps: list[Step]
    decision: Decision
    nobody: str = ""


async def explain(
    ground: Ground, request: AccessRequest, name: str | None, audience: str, own: Sequence[App], now: float
) -> Explanation:
    """``own`` are the gateway's own apps, ``audience`` the domain that a sign-in reaches ("" for everywhere)."""
    identity, nobody = (None, "") if name is None else await _person(ground, name, audience)
    stored = await Answers(ground.store).policy()
    apps = [*stored.apps, *((0, app) for app in own)]
    compiled = policy.compile_policy(stored.revision, apps).app(request.host)
    if compiled is None:
        return Explanation(None, [], NO_APP, nobody)
    steps, decision = policy.explain(compiled, request, identity, now)
    if identity is not None and audience and not f".{request.host}".endswith(f".{audience}"):
        nobody = f"a sign-in reaches {audience} only"
    app = next(app for tenant, app in apps if tenant == compiled.tenant and app.name == compiled.name)
    return Explanation(app, steps, decision, nobody)


async def _person(ground: Ground, name: str, audience: str) -> tuple[Identity | None, str]:
    async with ground.store.transaction("explain") as tx:
        user = await users.named(tx, name)
        if user is None:
            raise NotFound(f"there is no user called {name}")
        factors = await users.factors(tx, user.id)
    if user.disabled:
        return None, f"{name} is disabled"
    return _identity(user, factors, audience), ""


def _identity(user: User, factors: frozenset[str], audience: str) -> Identity:
    return Identity(
        TENANT,
        user.id,
        user.name,
        user.display,
        groups=frozenset(user.groups),
        second=bool(SECOND_FACTORS & factors),
        audience=audience,
    )
