"""Visits: a session and a key that open for a moment, and end whatever happens."""

from __future__ import annotations

import asyncio

import pytest

from gateway import headers
from gateway.doctor import page
from gateway.errors import NotFound
from gateway.services import api_keys, sessions, visits
from gateway.services.ground import Ground
from gateway.storage.answers import Answers
from serving import Served

pytestmark = pytest.mark.anyio


def living(served: Served) -> tuple[int, int]:
    ground = served.gateway.ground
    return len(served.call(sessions.listing(ground))), len(served.call(api_keys.listing(ground)))


async def test_a_visitor_is_let_in_as_the_gateway_says_and_no_longer_than_the_visit(served: Served) -> None:
    served.user("alice", ["users", "staff"], display="Alice", email="alice@example.com")

    async def visit() -> tuple[str, str]:
        async with visits.visiting(
            served.gateway.ground, "test", "alice", "app", headers.STANDARD, "example.com"
        ) as visitor:
            assert visitor.session not in repr(visitor)
            assert visitor.key not in repr(visitor)
            said = await asyncio.to_thread(served.check, key=visitor.key)
            for name in ("remote-user", "remote-groups", "remote-name", "remote-email"):
                assert dict(visitor.identity)[name.encode()].decode() == said[name]
            cookie = f"__Secure-gateway_session={visitor.session}"
            assert (await asyncio.to_thread(served.check, cookie=cookie)).status == 200
            assert (await asyncio.to_thread(served.check, "admin.example.com", key=visitor.key)).status == 403
        assert visitor.silent == ()
        return cookie, visitor.key

    cookie, key = served.call(visit())
    assert served.check(cookie=cookie).status == served.check(key=key, cookie=cookie).status == 302
    assert living(served) == (0, 0)


@pytest.mark.parametrize("how", [RuntimeError, asyncio.CancelledError])
async def test_a_visit_that_is_cut_short_leaves_nothing_living(served: Served, how: type[BaseException]) -> None:
    served.user("alice")

    async def visit() -> None:
        async with visits.visiting(served.gateway.ground, "test", "alice", "app", headers.STANDARD, "example.com"):
            raise how

    async def all_of_it() -> str:
        try:
            await visit()
        except BaseException as error:
            return type(error).__name__
        return ""

    assert served.call(all_of_it()) == how.__name__
    assert living(served) == (0, 0)


async def test_what_somebody_else_ended_is_no_error(served: Served) -> None:
    served.user("alice")
    ground = served.gateway.ground

    async def visit() -> None:
        async with visits.visiting(ground, "test", "alice", "app", headers.STANDARD, "example.com"):
            await sessions.revoke_user(ground, "test", "alice")

    served.call(visit())
    assert living(served) == (0, 0)


@pytest.mark.parametrize(
    ("url", "only", "who"),
    [
        ("https://app.example.com/", None, "alice"),
        ("https://app.example.com/", "bob", "bob"),
        ("https://admin.example.com/", None, "bob"),
        ("https://admin.example.com/", "alice", None),
        ("https://x.deep.example.com/", None, None),
        ("https://app.example.com/", "zoe", None),
    ],
)
async def test_somebody_is_found_whom_the_rules_let_in(
    served: Served, url: str, only: str | None, who: str | None
) -> None:
    for name, groups in (("alice", []), ("bob", ["admins"]), ("zoe", [])):
        served.user(name, groups)
    ground: Ground = served.gateway.ground

    async def find() -> str | None:
        async with ground.store.transaction("test") as tx:
            await tx.execute("UPDATE users SET disabled_at = now() WHERE name = 'zoe'")
        apps = (await Answers(ground.store).policy()).apps
        return await visits.whom(ground, page.read(url), apps, "example.com", 0.0, only)

    assert served.call(find()) == who


async def test_a_person_who_is_not_there_is_said(ground: Ground) -> None:
    with pytest.raises(NotFound, match="no user called nobody"):
        await visits.whom(ground, page.read("https://app.example.com/"), [], "", 0.0, "nobody")
