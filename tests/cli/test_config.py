"""``gateway check-config`` and ``gateway apply``."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import psycopg
import pytest

from commands import Command
from fake_ears import silent_ear
from processes import GATEWAY, environment
from serving import APPS, Served

ONE = "apps: [{name: one, hosts: [one.example.com], rules: [{policy: bypass}]}]\n"
TWO = "apps:\n  - {name: two, hosts: [two.example.com]}\n"


# check-config --------------------------------------------------------------------------------------------------------


def test_a_good_configuration_is_described(command: Command) -> None:
    command.file("gateway.yaml", "trust: {proxies: [172.18.0.0/16]}\n")
    command.file("apps.yaml", APPS)
    said = command.done("check-config")
    assert "people sign in at https://auth.example.com, once for example.com" in said.out
    assert "it believes 172.18.0.0/16" in said.out
    assert "4 apps" in said.out
    assert "  app: app.example.com; 4 rules" in said.out
    assert said.err == ""


def test_no_secret_of_the_configuration_is_shown(command: Command) -> None:
    command.file("gateway.yaml", "trust: {secret: 0123456789abcdef-hush}\ndatabase: {url: 'postgresql://a:hush@b/c'}\n")
    said = command.done("check-config")
    assert "whoever knows trust.secret" in said.out
    assert "hush" not in said.out + said.err


def test_every_problem_of_both_files_is_told_with_its_line_and_a_suggestion(command: Command) -> None:
    settings = command.file("gateway.yaml", "server:\n  lisen: 127.0.0.1:1\n  workers: many\n")
    rules = "rules:\n      - {policy: one_facter}\n      - {polcy: deny}\n"
    apps = command.file("apps.yaml", f"apps:\n  - name: photos\n    hosts: [photos.example.com]\n    {rules}")
    said = command("check-config")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "gateway: the configuration cannot be used:",
        f'  {settings}:2: server has no key "lisen" (did you mean "listen"?)',
        f'  {settings}:3: server.workers: must be a whole number, not "many"',
        f"  {apps}:5: rule 1 of app photos: policy: must be one of bypass, one_factor, two_factor, deny,"
        ' not "one_facter" (did you mean "one_factor"?)',
        f'  {apps}:6: rule 2 of app photos has no key "polcy" (did you mean "policy"?)',
        f"  {apps}:6: rule 2 of app photos has no policy (one of bypass, one_factor, two_factor, deny)",
    ]


@pytest.mark.parametrize("file", ["gateway.yaml", "apps.yaml"])
@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\xff\xfe\x00", "is not UTF-8 text"), (None, "cannot be read: Is a directory"), (b"a: [", ":1: ")],
)
def test_a_file_that_cannot_be_read_is_named(command: Command, file: str, content: bytes | None, why: str) -> None:
    path = command.config / file
    path.mkdir() if content is None else path.write_bytes(content)
    said = command("check-config")
    assert said.code == 2
    assert f"{path}{why}" in said.err or f"{path}: {why}" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("content", "why"), [("", "cannot be read: No such file or directory"), ("x", "holds no cert")]
)
def test_a_file_of_authorities_that_is_none_is_a_problem_of_its_own(command: Command, content: str, why: str) -> None:
    authorities = command.file("ca.pem", content) if content else str(command.config / "absent.pem")
    file = command.file("gateway.yaml", f"upstream: {{ca_file: {authorities}}}\n")
    said = command("check-config")
    assert (said.code, said.out) == (2, "")
    (problem,) = said.err.splitlines()[1:]
    assert problem.startswith(f"  {file}:1: upstream.ca_file: {authorities} {why}")


def test_an_unknown_variable_is_a_warning(command: Command) -> None:
    said = command("check-config", environ={"GATEWAY_SERVER_LISTE": "x"})
    assert said.code == 0
    assert (
        said.err
        == 'gateway: GATEWAY_SERVER_LISTE is not a setting and is ignored (did you mean "GATEWAY_SERVER_LISTEN"?)\n'
    )


def test_without_files_the_variables_say_everything(command: Command) -> None:
    said = command.done("check-config")
    assert "gateway.yaml: not there" in said.out
    assert "apps.yaml: not there" in said.out


def test_the_shipped_configuration_is_good(command: Command) -> None:
    shipped = Path(__file__).parents[2] / "config"
    said = command(
        "check-config",
        "--config",
        str(shipped),
        environ={"GATEWAY_SERVER_PORTAL_URL": "https://auth.gateway.localhost"},
    )
    assert said.code == 0, said.err


# apply ---------------------------------------------------------------------------------------------------------------


def test_an_apply_shows_the_difference_and_is_in_force(command: Command, served: Served) -> None:
    assert served.check("pub.example.com").status == 200
    said = command.done("apply", command.file("apps.yaml", APPS.replace("[{policy: bypass}]", "[{policy: deny}]")))
    assert said.out == "~ app pub: rule 1: policy bypass -> deny\n"
    assert said.err == "gateway: applied\n"
    assert served.check("pub.example.com").status == 403


def test_a_dry_run_changes_nothing(command: Command) -> None:
    said = command.done("apply", command.file("one.yaml", ONE), "--dry-run")
    assert said.out == "+ app one (1 rule)\n"
    assert said.err == "gateway: nothing was changed (--dry-run)\n"
    assert command.done("app", "list", "--json").json == []
    assert command.done("audit", "list", "--json").json == []


def test_a_dry_run_shows_what_else_an_app_might_be_upgraded_to(command: Command) -> None:
    command.done("apply", command.file("two.yaml", TWO))
    more = command.file("more.yaml", TWO.replace("}", ", upgrades: [TCP]}"))
    assert command.done("apply", more, "--dry-run").out == "~ app two: upgrades [] -> [tcp]\n"


def test_the_same_file_once_more_is_nothing_new(command: Command) -> None:
    file = command.file("one.yaml", ONE)
    command.done("apply", file)
    said = command.done("apply", file)
    assert said.out == "nothing differs\n"
    assert said.err == "gateway: the database says so already\n"
    assert len(command.done("audit", "list", "--json").json) == 1


def test_what_was_edited_by_hand_is_shown_and_undone(command: Command, psql: psycopg.Connection) -> None:
    file = command.file("one.yaml", ONE)
    command.done("apply", file)
    psql.execute("UPDATE rules SET policy = 'deny'")
    assert command.done("apply", file).out == "~ app one: rule 1: policy deny -> bypass\n"
    assert command.done("app", "show", "one", "--json").json["rules"] == [{"policy": "bypass"}]


def test_several_files_are_one_policy(command: Command) -> None:
    files = command.file("one.yaml", ONE), command.file("two.yaml", TWO)
    command.done("apply", *files)
    assert [app["name"] for app in command.done("app", "list", "--json").json] == ["one", "two"]
    assert command.done("apply", *files).out == "nothing differs\n"
    assert command.done("apply", files[1]).out == "- app one\n"


def test_names_and_hosts_are_unique_in_all_files(command: Command) -> None:
    one = command.file("one.yaml", ONE)
    other = command.file("other.yaml", "apps:\n  - {name: one, hosts: [x.example.com]}\n")
    third = command.file("third.yaml", "apps:\n  - {name: third, hosts: [one.example.com]}\n")
    said = command("apply", one, other, third)
    assert said.code == 2
    assert said.err.splitlines()[1:] == [
        f"  {other}:2: another app is named one (first in {one}:1)",
        f"  {third}:2: host one.example.com is taken (first in {one}:1)",
    ]
    assert command.done("app", "list", "--json").json == []


def test_an_app_may_not_cover_the_portal(command: Command) -> None:
    file = command.file("one.yaml", "apps: [{name: all, hosts: ['*.example.com']}]")
    assert "covers the portal" in command("apply", file).err


def test_files_that_cannot_be_applied_are_all_named(command: Command) -> None:
    bad, absent = command.file("bad.yaml", "apps: [{name: x}]"), str(command.config / "absent.yaml")
    said = command("apply", bad, absent)
    assert said.code == 2
    assert f"{absent}: cannot be read: No such file or directory" in said.err
    assert f"{bad}:1: app x has no hosts" in said.err


def test_a_host_of_another_tenant_is_refused_in_one_line(command: Command, psql: psycopg.Connection) -> None:
    psql.execute("INSERT INTO tenants (id, name) VALUES (7, 'other')")
    psql.execute("INSERT INTO apps (id, tenant_id, name) VALUES (7, 7, 'theirs')")
    psql.execute("INSERT INTO app_hosts (host, tenant_id, app_id) VALUES ('one.example.com', 7, 7)")
    assert "belongs to another tenant" in command.refused(1, "apply", command.file("one.yaml", ONE))
    assert command.done("app", "list", "--json").json == []


def test_replicas_that_stay_silent_are_named(command: Command, database: str) -> None:
    with silent_ear(database, "deaf-replica:1"):
        said = command.done("apply", command.file("one.yaml", ONE))
    assert said.out == "+ app one (1 rule)\n"
    assert "deaf-replica:1 did not acknowledge within a second" in said.err


def test_nothing_to_apply_is_a_usage_error(command: Command) -> None:
    assert "Missing argument 'FILE...'" in command.refused(2, "apply")


def test_colours_are_for_terminals_only(command: Command, database: str, tmp_path: Path) -> None:
    file = command.file("one.yaml", ONE)
    assert "\x1b" not in command.done("apply", file, "--dry-run").out
    person, terminal = pty.openpty()
    try:
        arguments, variables = [GATEWAY, "apply", file, "--dry-run"], environment(database, tmp_path)
        subprocess.run(arguments, env=variables, stdout=terminal, stderr=subprocess.DEVNULL, check=True, timeout=60)
        assert b"\x1b[32m+ app one (1 rule)" in os.read(person, 1000)
    finally:
        os.close(terminal)
        os.close(person)
