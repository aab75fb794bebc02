"""Use cases of users."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.errors import NotFound, Refused
from gateway.logins.password import LONGEST
from gateway.passwords import hash_password
from gateway.services.ground import Ground, Silent, readable, taking_away
from gateway.storage import audit, sessions, users
from gateway.storage.pool import Connection
from gateway.storage.users import User

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:-]{0,63}")
SHORTEST = 8
LONGEST_DISPLAY, LONGEST_EMAIL = 256, 254


async def add(
    ground: Ground, actor: str, name: str, password: str, groups: Sequence[str] = (), display: str = "", email: str = ""
) -> int:
    """A new user with a password; the row id."""
    _check_name(name)
    _check_groups(groups)
    readable(display, LONGEST_DISPLAY, "display name")
    readable(email, LONGEST_EMAIL, "email address")
    digest = _hashed(password)
    async with ground.store.transaction("users") as tx:
        user = await users.add(tx, name, display, email)
        await users.set_password(tx, user, digest)
        await users.set_groups(tx, user, groups)
        await audit.record(tx, actor, "user.add", f"user:{user}", name=name, groups=list(groups))
    return user


async def listing(ground: Ground) -> list[User]:
    """Everybody."""
    async with ground.store.transaction("users") as tx:
        return await users.listing(tx)


async def show(ground: Ground, name: str) -> User:
    """One user."""
    async with ground.store.transaction("users") as tx:
        return await _named(tx, name)


async def disable(ground: Ground, actor: str, name: str) -> Silent:
    """Close an account: nothing of it proves anybody until it is enabled."""
    async with taking_away(ground, "users") as taking:
        user = await _named(taking.tx, name)
        await users.set_disabled(taking.tx, user.id, True)
        await audit.record(taking.tx, actor, "user.disable", f"user:{user.id}", name=name)
    return taking.silent


async def enable(ground: Ground, actor: str, name: str) -> None:
    """Open an account again."""
    async with ground.store.transaction("users") as tx:
        user = await _named(tx, name)
        await users.set_disabled(tx, user.id, False)
        await audit.record(tx, actor, "user.enable", f"user:{user.id}", name=name)


async def delete(ground: Ground, actor: str, name: str) -> Silent:
    """Remove a user with all sessions, keys and factors. The name stays taken."""
    async with taking_away(ground, "users") as taking:
        user = await _named(taking.tx, name)
        await users.delete(taking.tx, user.id)
        await audit.record(taking.tx, actor, "user.delete", f"user:{user.id}", name=name)
    return taking.silent


async def set_password(ground: Ground, actor: str, name: str, password: str) -> Silent:
    """A new password; ends every session, because whoever knew the old one may have one."""
    digest = _hashed(password)
    async with taking_away(ground, "users") as taking:
        user = await _named(taking.tx, name)
        await users.set_password(taking.tx, user.id, digest)
        await sessions.end_user(taking.tx, user.id)
        await audit.record(taking.tx, actor, "user.password", f"user:{user.id}", name=name)
    return taking.silent


async def set_groups(ground: Ground, actor: str, name: str, groups: Sequence[str]) -> Silent:
    """Replace the groups; makes those that do not exist."""
    _check_groups(groups)
    async with taking_away(ground, "users") as taking:
        user = await _named(taking.tx, name)
        await users.set_groups(taking.tx, user.id, groups)
        await audit.record(taking.tx, actor, "user.groups", f"user:{user.id}", name=name, groups=list(groups))
    return taking.silent


async def _named(tx: Connection, name: str) -> User:
    user = await users.named(tx, name)
    if user is None:
        raise NotFound(f"there is no user called {name}")
    return user


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} is no user name: lower-case letters, digits and . _ @ -, 64 at most, a letter or digit first"
        )


def _check_groups(groups: Sequence[str]) -> None:
    for group in groups:
        if not GROUP.fullmatch(group):
            raise Refused(f"{group!r} is no group name: letters, digits, space and . _ : -, 64 at most")


def _hashed(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(f"a password has {SHORTEST} characters at least and {LONGEST} at most")
    try:
        return hash_password(password)
    except UnicodeEncodeError:
        raise Refused("the password is not UTF-8 text") from None
