"""``gateway app`` and ``gateway policy``: the policy as the database has it, whoever wrote it there."""

from __future__ import annotations

import psycopg
import pytest
import yaml

from commands import Command
from serving import APPS, Served

RULES = """
apps:
  - name: photos
    title: Immich
    hosts: [photos.example.com]
    upstream: unix:/run/immich.sock
    upgrades: [tcp, SPDY/3.1]
    headers: {X-User: "{user}"}
    rules:
      - {path: /share/, policy: bypass}
      - {networks: [203.0.113.0/24], policy: deny}
      - {methods: [POST], groups: [family], policy: one_factor}
      - {path_exact: /safe, policy: two_factor}
      - {users: [alice], policy: one_factor}
  - {name: far, hosts: [far.example.org], rules: [{policy: one_factor}]}
"""


@pytest.fixture
def photos(command: Command) -> Command:
    command.done("apply", command.file("apps.yaml", RULES))
    command.user("alice")
    command.user("bob", "family")
    return command


def test_apps_are_listed_as_the_database_has_them(command: Command, psql: psycopg.Connection) -> None:
    command.done("apply", command.file("apps.yaml", APPS))
    psql.execute("UPDATE apps SET title = 'By hand' WHERE name = 'pub'")
    lines = command.done("app", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "app", "admin", "pub", "deep"]
    assert "By hand" in lines[3]


def test_what_is_listed_as_json_can_be_applied_again(photos: Command) -> None:
    again = photos.file("again.yaml", yaml.safe_dump({"apps": photos.done("app", "list", "--json").json}))
    assert photos.done("apply", again, "--dry-run").out == "nothing differs\n"


def test_an_app_is_shown_with_its_rules(photos: Command) -> None:
    out = photos.done("app", "show", "photos").out
    assert "hosts: photos.example.com\n" in out
    assert "upstream: unix:/run/immich.sock\n" in out
    assert "upgrades: tcp, spdy/3.1\n" in out
    assert "rule 1: policy bypass, path /share/\n" in out
    assert out.endswith("otherwise: nobody\n")
    shown = photos.done("app", "show", "photos", "--json").json
    assert shown["headers"] == {"X-User": "{user}"}
    assert (shown["upstream"], shown["upgrades"]) == ("unix:/run/immich.sock", ["tcp", "spdy/3.1"])
    assert shown["rules"][0] == {"policy": "bypass", "path": "/share/"}


def test_an_app_that_is_not_there_is_not_found(photos: Command) -> None:
    assert 'no app called photo (did you mean "photos"?)' in photos.refused(1, "app", "show", "photo")


@pytest.mark.parametrize(
    ("asked", "walk", "decision"),
    [
        (("/share/x",), ["held"], "allowed, by rule 1"),
        (("/x",), ["failed", "failed", "failed", "failed", "unknown"], "not yet, by rule 5"),
        (("/x", "--ip", "203.0.113.9"), ["failed", "held"], "denied, by rule 2"),
        (("/x", "--ip", "203.0.113.9", "--user", "alice"), ["failed", "held"], "denied, by rule 2"),
        (("/x", "--method", "post"), ["failed", "failed", "unknown"], "not yet, by rule 3"),
        (("/x", "--method", "POST", "--user", "bob"), ["failed", "failed", "held"], "allowed, by rule 3"),
        (("/safe", "--user", "alice"), ["failed"] * 3 + ["held"], "denied, by rule 4: this needs a second factor"),
        (("/safe",), ["failed"] * 3 + ["held"], "not yet, by rule 4: sign in"),
        (("/x", "--user", "alice"), ["failed"] * 4 + ["held"], "allowed, by rule 5"),
        (("/x", "--user", "bob"), ["failed"] * 5, "denied: no rule lets this request in"),
        (("/share%2Fx", "--user", "alice"), ["unclear"], "denied, by rule 1: the path can be read in two ways"),
    ],
)
def test_every_rule_on_the_way_is_explained(
    photos: Command, asked: tuple[str, ...], walk: list[str], decision: str
) -> None:
    path, *options = asked
    url = f"https://photos.example.com{path}"
    lines = photos.done("policy", "explain", url, *options).out.splitlines()
    assert [line.split("): ")[1].split(",")[0] for line in lines if line.startswith("  rule")] == walk
    assert lines[-1].startswith(decision)
    data = photos.done("policy", "explain", url, *options, "--json").json
    assert [step["verdict"] for step in data["steps"]] == walk


def test_what_is_explained_is_what_is_answered(photos: Command, served: Served) -> None:
    """``served`` applied its own apps after ours."""
    words = {"allow": 200, "challenge": 302, "deny": 403}
    asked = [("app", "/"), ("app", "/internal/x"), ("app", "/public/"), ("admin", "/"), ("x.deep", "/"), ("none", "/")]
    _, cookie = served.session("bob")
    for app, path in asked:
        for who, sent in (((), None), (("--user", "bob"), cookie)):
            data = photos.done("policy", "explain", f"https://{app}.example.com{path}", *who, "--json").json
            answer = served.check(f"{app}.example.com", path, cookie=sent)
            assert answer.status == words[data["decision"]], (app, path, who)


def test_why_a_failed_rule_failed_is_said(photos: Command) -> None:
    out = photos.done("policy", "explain", "https://photos.example.com/x", "--user", "alice").out
    assert out.splitlines()[0] == "GET https://photos.example.com/x, asked by alice"
    assert "rule 1 (policy bypass, path /share/): failed, the path is not under /share/\n" in out


def test_whoever_is_disabled_or_too_far_counts_as_nobody(photos: Command) -> None:
    far = photos.done("policy", "explain", "https://far.example.org/", "--user", "alice").out
    assert "alice counts as nobody: a sign-in reaches example.com only" in far
    assert "not yet, by rule 1: sign in" in far
    photos.done("user", "disable", "alice")
    closed = photos.done("policy", "explain", "https://photos.example.com/x", "--user", "alice").out
    assert "alice counts as nobody: alice is disabled" in closed
    assert "not yet, by rule 5" in closed


def test_hosts_of_no_app_are_closed_and_the_portal_is_open(photos: Command) -> None:
    assert photos.done("policy", "explain", "https://nowhere.example.com/").out.endswith(
        "denied: no app here owns this host\n"
    )
    assert "allowed, by rule 1" in photos.done("policy", "explain", "https://auth.example.com/").out


def test_a_row_that_does_not_compile_is_named(photos: Command, psql: psycopg.Connection) -> None:
    psql.execute("UPDATE rules SET path_regex = '(' WHERE position = 4")
    out = photos.done("policy", "explain", "https://photos.example.com/x").out
    assert "denied: the policy of this app cannot be used, because of rule 5 of photos" in out


@pytest.mark.parametrize(
    ("code", "arguments", "why"),
    [
        (2, ("photos.example.com/x",), "is not a URL such as"),
        (2, ("ftp://photos.example.com/x",), "is not a URL such as"),
        (2, ("https://[::1/x",), "is not a URL"),
        (2, ("https:///x",), "is not a URL such as"),
        (2, ("https://photos_!.example.com/",), "malformed and is answered 400 (host)"),
        (2, ("https://photos.example.com/../x",), "malformed and is answered 400 (path: dot segments)"),
        (2, ("https://photos.example.com/\u00e4",), "malformed and is answered 400"),
        (2, ("https://ph\u00f6tos.example.com/",), "malformed and is answered 400"),
        (2, ("https://photos.example.com/", "--method", "G T"), "malformed and is answered 400 (method)"),
        (2, ("https://photos.example.com/", "--ip", "here"), "--ip: here is not an address"),
        (1, ("https://photos.example.com/", "--user", "nobody"), "no user called nobody"),
        (2, (), "Missing argument 'URL'"),
    ],
)
def test_what_cannot_be_explained_is_one_line(
    command: Command, code: int, arguments: tuple[str, ...], why: str
) -> None:
    assert why in command.refused(code, "policy", "explain", *arguments)
