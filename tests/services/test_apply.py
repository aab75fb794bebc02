"""Applying: whole or not at all, in turns, and never an older file in place of a newer one at a start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from gateway import appsfile
from gateway.errors import ConfigurationInvalid, Conflict
from gateway.model import App
from gateway.services import apply
from gateway.services.apply import Applied, Proposal
from gateway.services.ground import Ground
from serving import APPS, Served

pytestmark = pytest.mark.anyio

ONE = "apps: [{name: one, hosts: [one.example.com], rules: [{policy: bypass}]}]"
OTHER = "apps: [{name: other, hosts: [other.example.com], rules: [{policy: deny}, {policy: bypass}]}]"
FULL = """
apps:
  - name: photos
    title: Immich
    hosts: [photos.example.com, "*.photos.example.com"]
    upstream: http://immich:2283
    authorization: gateway
    preflight: pass
    origins: [https://other.example.com]
    headers: {X-Forwarded-User: "{user}", X-More: "{groups} of {name}"}
    rules:
      - {path: /share/, methods: [GET], policy: bypass, outage: false}
      - {path_exact: /ping, networks: [192.0.2.0/24], policy: bypass}
      - {path_regex: "^/api/v[0-9]+/", users: [alice], groups: [family, admins], policy: two_factor}
      - {policy: deny}
"""


def proposal(text: str) -> Proposal:
    return Proposal(text, appsfile.read(text, "apps.yaml", portal_host="auth.example.com"))


async def applied(ground: Ground, text: str) -> Applied:
    return await apply.apply(ground, "me", *proposal(text))


def revisions(psql: psycopg.Connection) -> list[str]:
    return [row[0] for row in psql.execute("SELECT sha256 FROM applied ORDER BY id").fetchall()]


async def names(ground: Ground) -> list[str]:
    return [app.name for app in await apply.stored(ground)]


# What is stored ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [ONE, OTHER, APPS, FULL, ""])
async def test_what_was_applied_is_what_is_stored(ground: Ground, text: str) -> None:
    await applied(ground, text)
    assert await apply.stored(ground) == proposal(text).apps
    assert await apply.preview(ground, proposal(text).apps) == ()


async def test_an_apply_is_one_revision_and_one_record(ground: Ground, psql: psycopg.Connection) -> None:
    said = await applied(ground, ONE)
    assert said == Applied(True, ("+ app one (1 rule)",))
    assert revisions(psql) == [apply.digest_of(ONE)]
    [(actor, action, subject, detail)] = psql.execute("SELECT actor, action, subject, detail FROM audit").fetchall()
    assert (actor, action, subject) == ("me", "policy.apply", f"sha256:{apply.digest_of(ONE)[:16]}")
    assert detail == {"changes": ["+ app one (1 rule)"]}


async def test_hosts_and_rules_may_change_their_app(ground: Ground) -> None:
    swapped = APPS.replace("[app.example.com]", "[x.example.com]").replace("[admin.example.com]", "[app.example.com]")
    await applied(ground, APPS)
    await applied(ground, swapped)
    assert await apply.stored(ground) == proposal(swapped).apps


async def test_another_order_is_a_difference(ground: Ground) -> None:
    both = [App("a", "a", ("a.example.com",)), App("b", "b", ("b.example.com",))]
    await apply.apply(ground, "me", "1", both)
    said = await apply.apply(ground, "me", "2", both[::-1])
    assert said.difference == (apply.ORDER,)
    assert await apply.stored(ground) == both[::-1]


async def test_only_what_differs_is_written(ground: Ground, psql: psycopg.Connection) -> None:
    await applied(ground, APPS)
    before = psql.execute("SELECT xmin, * FROM apps WHERE name = 'app'").fetchall()
    await applied(ground, APPS.replace("title: The app", "title: The app # of all"))
    await applied(ground, APPS.replace("groups: [admins]", "groups: [owners]"))
    assert psql.execute("SELECT xmin, * FROM apps WHERE name = 'app'").fetchall() == before


# Whole or not at all -------------------------------------------------------------------------------------------------


async def test_a_host_of_another_tenant_stops_all_of_it(ground: Ground, psql: psycopg.Connection) -> None:
    await applied(ground, ONE)
    psql.execute("INSERT INTO tenants (id, name) VALUES (7, 'theirs')")
    psql.execute("INSERT INTO apps (id, tenant_id, name) VALUES (7, 7, 'theirs')")
    psql.execute("INSERT INTO app_hosts (host, tenant_id, app_id) VALUES ('other.example.com', 7, 7)")
    with pytest.raises(Conflict, match="belongs to another tenant"):
        await applied(
            ground, ONE.replace("bypass", "deny").replace("]}]", "]}, {name: n, hosts: [other.example.com]}]")
        )
    assert await apply.stored(ground) == proposal(ONE).apps
    assert revisions(psql) == [apply.digest_of(ONE)]
    assert psql.execute("SELECT count(*) FROM audit").fetchone() == (1,)


async def test_a_fault_in_the_middle_leaves_the_old_policy(ground: Ground, psql: psycopg.Connection) -> None:
    await applied(ground, ONE)
    psql.execute("ALTER TABLE rules ADD CONSTRAINT nothing_new CHECK (path <> '/internal')")
    with pytest.raises(Exception, match="nothing_new"):
        await applied(ground, APPS)
    assert await apply.stored(ground) == proposal(ONE).apps
    assert revisions(psql) == [apply.digest_of(ONE)]


async def test_the_apps_of_others_are_left_alone(ground: Ground, psql: psycopg.Connection) -> None:
    psql.execute("INSERT INTO tenants (id, name) VALUES (7, 'theirs')")
    psql.execute("INSERT INTO apps (id, tenant_id, name) VALUES (7, 7, 'theirs')")
    await applied(ground, ONE)
    await applied(ground, "")
    assert psql.execute("SELECT name FROM apps").fetchall() == [("theirs",)]


def until_both_wait(database: str) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(database, autocommit=True) as watcher:
        while watcher.execute(waiting).fetchone() != (2,):
            watcher.execute("SELECT pg_sleep(0.01)")


async def test_two_at_once_leave_one_of_the_files_and_never_a_mixture(
    ground: Ground, psql: psycopg.Connection, database: str
) -> None:
    """The second compares with what the first has left, not with what it saw before its turn."""
    start = "apps: [{name: a, hosts: [a.x.com]}, {name: b, hosts: [b.x.com]}]"
    first = "apps: [{name: a, title: A, hosts: [a.x.com]}, {name: b, hosts: [b.x.com]}]"
    second = "apps: [{name: a, hosts: [a.x.com]}, {name: b, title: B, hosts: [b.x.com]}]"
    await applied(ground, start)
    with psql.transaction():
        psql.execute("SELECT revision FROM policy_state FOR UPDATE")
        both = [asyncio.create_task(applied(ground, text)) for text in (first, second)]
        await asyncio.to_thread(until_both_wait, database)
    await asyncio.gather(*both)
    assert await apply.stored(ground) in (proposal(first).apps, proposal(second).apps)


# Which file is newer -------------------------------------------------------------------------------------------------


async def test_the_same_file_once_more_is_nothing_new(ground: Ground, psql: psycopg.Connection) -> None:
    await applied(ground, ONE)
    for again in (apply.apply, apply.apply_at_start, apply.apply_if_new):
        assert await again(ground, "me", *proposal(ONE)) == Applied(False, ())
    assert revisions(psql) == [apply.digest_of(ONE)]
    assert psql.execute("SELECT count(*) FROM audit").fetchone() == (1,)
    assert ground.store.queries["fence"] == 1


async def test_a_file_that_says_the_same_in_other_words_is_the_newest_revision(
    ground: Ground, psql: psycopg.Connection
) -> None:
    await applied(ground, ONE)
    assert await applied(ground, f"# new\n{ONE}") == Applied(True, ())
    assert revisions(psql) == [apply.digest_of(ONE), apply.digest_of(f"# new\n{ONE}")]


async def test_an_earlier_file_is_not_applied_at_a_start_and_its_difference_is_told(ground: Ground) -> None:
    await applied(ground, ONE)
    await applied(ground, OTHER)
    said = await apply.apply_at_start(ground, "start", *proposal(ONE))
    assert said == Applied(False, ("- app other", "+ app one (1 rule)"), earlier=True)
    assert await names(ground) == ["other"]


async def test_an_earlier_file_is_applied_where_somebody_means_it(ground: Ground, psql: psycopg.Connection) -> None:
    for again in (apply.apply, apply.apply_if_new):
        await applied(ground, ONE)
        await applied(ground, OTHER)
        assert (await again(ground, "me", *proposal(ONE))).done
        assert await names(ground) == ["one"]
    assert revisions(psql)[-1] == apply.digest_of(ONE)


async def test_an_unknown_file_is_applied_at_a_start(ground: Ground) -> None:
    await applied(ground, ONE)
    assert (await apply.apply_at_start(ground, "start", *proposal(OTHER))).done
    assert await names(ground) == ["other"]


async def test_edits_by_hand_live_until_the_next_apply_which_lists_them(
    ground: Ground, psql: psycopg.Connection
) -> None:
    await applied(ground, ONE)
    psql.execute("UPDATE rules SET policy = 'deny', groups = '{family}'")
    psql.execute("INSERT INTO apps (tenant_id, name, title, position) VALUES (1, 'typed', 'typed', 9)")
    for quiet in (apply.apply_at_start, apply.apply_if_new):
        assert not (await quiet(ground, "start", *proposal(ONE))).done
    assert await names(ground) == ["one", "typed"]
    said = await applied(ground, ONE)
    assert said.done
    assert said.difference == (
        "- app typed",
        "~ app one: rule 1: policy deny -> bypass",
        "~ app one: rule 1: groups [family] -> []",
    )
    assert await apply.stored(ground) == proposal(ONE).apps


async def test_a_row_that_no_file_could_say_is_overwritten(ground: Ground, psql: psycopg.Connection) -> None:
    await applied(ground, ONE)
    psql.execute("UPDATE rules SET path_regex = '('")
    assert (await applied(ground, ONE)).difference == ("~ app one: rule 1: path_regex ( -> nothing",)


# In force ------------------------------------------------------------------------------------------------------------


async def test_it_is_in_force_when_it_returns(ground: Ground, served: Served) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    for policy, status in (("deny", 403), ("one_factor", 200)) * 3:
        text = f"apps: [{{name: app, hosts: [app.example.com], rules: [{{policy: {policy}}}]}}] # {status}"
        said = await asyncio.to_thread(lambda text=text: served.call(applied(served.gateway.ground, text)))
        assert said.silent == ()
        assert (await asyncio.to_thread(served.check, cookie=cookie)).status == status


# Reading files -------------------------------------------------------------------------------------------------------


def test_one_file_is_known_by_its_own_bytes(tmp_path: Path) -> None:
    file = tmp_path / "apps.yaml"
    file.write_bytes(b"# windows\r\n" + ONE.encode())
    assert apply.read([file], "").text.encode() == file.read_bytes()


def test_all_that_is_wrong_with_any_file_is_told(tmp_path: Path) -> None:
    bad = {"a": b"apps: [{name: A}]", "b": b"\xff", "c": b"apps: ["}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationInvalid) as caught:
        apply.read([*(tmp_path / name for name in bad), tmp_path / "absent"], "")
    told = {problem.where.rpartition("/")[2] for problem in caught.value.problems}
    assert told == {"a:1", "b", "c:1", "absent"}
