"""``apps.yaml``: apps and rules, every mistake at once with its line, nothing open by accident."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import yaml

import serving
from gateway import appsfile, conditions
from gateway.errors import ConfigurationInvalid
from gateway.model import App, Rule

PORTAL = "auth.example.com"
STARTER = Path(__file__).parent.parent / "config" / "apps.yaml"
UNJUDGED = ("h2c", "H2C", "h2", "http/1.1", "HTTP/2.0", "TLS/1.0", "tls", "tlsv1.3")


def read(text: str) -> list[App]:
    return appsfile.read(dedent(text), "apps.yaml", portal_host=PORTAL)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as caught:
        read(text)
    return [str(problem) for problem in caught.value.problems]


def rule(text: str) -> str:
    """A file of one app whose only rule stands in line 5."""
    return f"apps:\n  - name: photos\n    hosts: [photos.example.com]\n    rules:\n      - {text}\n"


def app(text: str) -> str:
    """A file of one app with another key, in line 4."""
    return f"apps:\n  - name: photos\n    hosts: [photos.example.com]\n    {text}\n"


# What is read --------------------------------------------------------------------------------------------------------


def test_an_app_is_read_as_it_is_written() -> None:
    text = """\
        apps:
          - name: photos
            title: Immich
            hosts: [Photos.Example.com., "*.photos.example.com"]
            upstream: http://immich:2283/
            upgrades: [SPDY/3.1, tcp]
            authorization: gateway
            preflight: pass
            origins: [https://other.example.com]
            headers: {X-Who: "{user}"}
            rules:
              - {path: /share/, methods: [GET], policy: bypass}
              - {path_exact: /ping, networks: [10.0.0.0/8, "::1"], policy: deny, outage: false}
              - {path_regex: ^/api/, policy: two_factor, users: [alice], groups: [family]}
        """
    assert read(text) == [
        App(
            "photos",
            "Immich",
            ("photos.example.com", "*.photos.example.com"),
            (
                Rule("bypass", path="/share/", methods=("GET",)),
                Rule("deny", path_exact="/ping", networks=("10.0.0.0/8", "::1"), outage=False),
                Rule("two_factor", path_regex="^/api/", users=("alice",), groups=("family",)),
            ),
            upstream="http://immich:2283",
            authorization="gateway",
            preflight="pass",
            origins=("https://other.example.com",),
            headers=(("X-Who", "{user}"),),
            upgrades=("spdy/3.1", "tcp"),
        )
    ]


def test_an_app_may_listen_at_a_socket() -> None:
    assert read(app("upstream: unix:/run/immich/web.sock"))[0].upstream == "unix:/run/immich/web.sock"


def test_a_protocol_is_told_by_its_name_in_small_letters() -> None:
    assert read(app("upgrades: [TCP, tcp, x-y.z/1_0]"))[0].upgrades == ("tcp", "x-y.z/1_0")


def test_an_app_is_called_by_its_name_and_lets_nobody_in_unless_more_is_said() -> None:
    (found,) = read("apps: [{name: photos, hosts: [photos.example.com]}]")
    assert found == App("photos", "photos", ("photos.example.com",), rules=())


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "apps:\n", "apps: []\n", "---\n"])
def test_an_empty_file_has_no_apps(text: str) -> None:  # C326
    assert read(text) == []


@pytest.mark.parametrize("empty", ["[]", "~"])
def test_an_app_without_rules_is_closed_not_wrong(empty: str) -> None:  # C326
    text = app(f"rules: {empty}")
    assert read(text)[0].rules == ()


@pytest.mark.parametrize("text", [STARTER.read_text("utf-8"), serving.APPS])
def test_shown_and_written_to_a_file_apps_are_the_same_apps(text: str) -> None:
    apps = read(text)
    assert apps
    assert read(yaml.safe_dump(appsfile.render(apps))) == apps


def test_every_example_of_the_starter_file_is_valid() -> None:
    """Its commented apps too, with the comments behind a line taken off."""
    lines = STARTER.read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  # - name: photos"))
    text = "\n".join(["apps:", *(line.removeprefix("  # ") for line in lines[start:])])
    (photos,) = read(text)
    assert (photos.upstream, photos.upgrades, len(photos.rules)) == ("http://immich:2283", ("spdy/3.1",), 4)


def test_a_rule_has_a_key_for_every_condition_and_no_more() -> None:
    assert set(appsfile.RULE_KEYS) == set(conditions.BY_KEY) | {"policy", "outage"}
    assert set(appsfile.RULE_KEYS) == set(Rule.__slots__)


# What is refused -----------------------------------------------------------------------------------------------------


def test_a_typo_in_a_rule_key_names_its_line_and_what_was_meant() -> None:  # C324
    text = rule("{path: /share/, policy: bypass}") + "      - policy: one_factor\n        group: [admins]\n"
    assert problems(text) == ['apps.yaml:7: rule 2 of app photos has no key "group" (did you mean "groups"?)']


def test_every_mistake_is_in_one_report_in_the_order_of_its_kind() -> None:
    text = """\
        apps:
          - name: Photos
            hosts: [https://photos.example.com]
            autorization: app
            rules:
              - {path: share, policy: bypas}
              - groups: []
                users: [Alice]
          - hosts: []
        """
    report = problems(text)
    assert [line.split(": ")[0] for line in report] == [f"apps.yaml:{n}" for n in (4, 2, 3, 6, 6, 7, 8, 7, 9, 9)]
    assert 'did you mean "authorization"?' in report[0]
    assert "leave out the scheme and the path" in report[2]
    assert 'did you mean "bypass"?' in report[4]
    assert "rule 2 of app Photos has no policy" in report[7]
    assert report[8:] == [
        "apps.yaml:9: app number 2: hosts: is an empty list; leave the key out where it should not matter",
        "apps.yaml:9: app number 2 has no name",
    ]


@pytest.mark.parametrize("key", ["methods", "networks", "users", "groups"])
@pytest.mark.parametrize(("empty", "says"), [("[]", "is an empty list"), ("", "must be a list, not nothing")])
def test_an_empty_list_is_an_error_because_it_could_mean_everybody(key: str, empty: str, says: str) -> None:
    (problem,) = problems(rule(f"{{policy: one_factor, {key}: {empty}}}"))
    assert problem.startswith(f"apps.yaml:5: rule 1 of app photos: {key}: {says}")


@pytest.mark.parametrize("key", ["path", "path_exact", "path_regex"])
@pytest.mark.parametrize("empty", ["", '""', "~"])
def test_an_empty_path_is_an_error_because_it_could_mean_all(key: str, empty: str) -> None:
    (problem,) = problems(rule(f"{{policy: bypass, {key}: {empty}}}"))
    assert problem.startswith(f"apps.yaml:5: rule 1 of app photos: {key}: ")


@pytest.mark.parametrize(
    ("subjects", "named"),
    [("users: [alice]", "users"), ("groups: [admins]", "groups"), ("groups: [a], users: [b]", "groups and users")],
)
def test_bypass_may_not_name_subjects(subjects: str, named: str) -> None:
    assert problems(rule(f"{{policy: bypass, {subjects}}}")) == [
        f"apps.yaml:5: rule 1 of app photos: bypass may not name subjects ({named})"
        f" (leave {named} out, or write one_factor)"
    ]


@pytest.mark.parametrize("host", [PORTAL, "AUTH.example.com.", '"*.example.com"', '"*.com"'])
def test_a_host_that_covers_the_portal_is_an_error(host: str) -> None:
    (problem,) = problems(f"apps:\n  - name: a\n    hosts: [b.example.com, {host}]\n")
    assert problem.startswith("apps.yaml:3: host ")
    assert "covers the portal, auth.example.com" in problem


@pytest.mark.parametrize("host", ["example.com", "x.auth.example.com", '"*.auth.example.com"', "authexample.com"])
def test_a_host_beside_the_portal_is_none(host: str) -> None:
    assert len(read(f"apps:\n  - name: a\n    hosts: [{host}]\n")) == 1


def test_a_host_and_a_name_belong_to_one_app() -> None:
    text = """\
        apps:
          - {name: a, hosts: [a.example.com, A.example.com.]}
          - {name: a, hosts: [b.example.com]}
          - {name: c, hosts: [b.example.com]}
          - {name: d, hosts: ["*.b.example.com", x.b.example.com]}
          - {name: e, hosts: ["*.b.example.com"]}
        """
    assert problems(text) == [
        "apps.yaml:3: another app is named a (first in apps.yaml:2)",
        "apps.yaml:2: host a.example.com is taken (first in apps.yaml:2)",
        "apps.yaml:4: host b.example.com is taken (first in apps.yaml:3)",
        "apps.yaml:6: host *.b.example.com is taken (first in apps.yaml:5)",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (rule("{policy: bypass, path: /a, path_regex: ^/a}"), "rule 1 of app photos has path and path_regex (one of"),
        (rule("{path: /a}"), "rule 1 of app photos has no policy (one of bypass, one_factor, two_factor, deny)"),
        (rule("bypass"), 'rule 1 of app photos must have keys, not "bypass"'),
        (rule("{policy: one_factor, policy: bypass}"), '"policy" is given twice (first in line 5)'),
        (rule("{policy: allow}"), "policy: must be one of"),
        (rule("{policy: }"), "policy: must be one of bypass, one_factor, two_factor, deny, not nothing"),
        (rule("{policy: deny, path_regex: '(['}"), "is not a regular expression"),  # C137
        (rule("{policy: deny, path: /a/../b}"), "would never match"),
        (rule("{policy: deny, methods: [get]}"), "write GET"),
        (rule("{policy: deny, methods: GET}"), "must be a list; write [GET]"),
        (rule("{policy: deny, networks: [10.0.0.1/8]}"), "write 10.0.0.0/8"),
        (rule("{policy: one_factor, groups: ['admins,users']}"), "cannot be a group"),
        (rule("{policy: one_factor, users: [Alice]}"), "cannot be a user"),
        (rule("{policy: one_factor, outage: no}"), "outage: must be true or false"),
        (app("rules: {policy: bypass}"), "must be a list, not a section of its own"),
        (app("rule: [{policy: bypass}]"), 'app photos has no key "rule" (did you mean "rules"?)'),
        (app("headers: {}"), "headers: must name headers"),
        (app("headers: {X-A: '{user}', x-a: b}"), "names one header twice"),
        (app("headers: {Remote-User: root}"), "cannot be the name of an identity header"),
        (app("headers: {X-A: '{groups'}"), "headers: "),
        (app("upstream: http://a:b@immich"), "must not carry a user name or password"),
        (app("upstream: unix:app.sock"), "needs an absolute path"),
        (app("upstream: http://immich/path"), "must end after the host and port"),
        (app("upgrades: []"), "upgrades: is an empty list"),
        (app("upgrades: tcp"), "must be a list; write [tcp]"),
        (app("upgrades: [tcp, 'spdy 3']"), '"spdy 3" is not the name of a protocol'),
        (app("upgrades: [spdy/3/1]"), "is not the name of a protocol"),
        (app("upgrades: ['tcp,h2c']"), "is not the name of a protocol"),
        (app("upgrades: [täp]"), "is not the name of a protocol"),
        (app("upgrades: [WebSocket]"), "websocket is always there; leave it out"),
        (app("upgrades: [websocket/13]"), "websocket is always there; leave it out"),
        *(
            (app(f"upgrades: [tcp, {name}]"), f'"{name}" is never tunnelled: a tunnel of it would be')
            for name in UNJUDGED
        ),
        (app("origins: ['*']"), "origins: "),
        (app("preflight: yes"), "must be one of check, pass"),
        ("apps:\n  - {name: portal, hosts: [a.example.com]}", '"portal" is what the gateway calls its own pages'),
        ("apps:\n  - {name: a b, hosts: [a.example.com]}", "cannot be a name"),
        ("apps:\n  - {name: a}", "app a has no hosts"),
        ("apps:\n  - {name: a, hosts: a.example.com}", "must be a list; write [a.example.com]"),
        ("apps:\n  - {name: a, hosts: ['*']}", "is not a host name"),
        ("apps:\n  - photos", 'app number 1 must have keys, not "photos"'),
        ("apps: photos", 'must be a list, not "photos"'),
        ("app: []", 'the file has no key "app" (did you mean "apps"?)'),
        ("[]", "the file must have keys, not a list"),
        ("0", "the file must have keys, not 0"),
        ('""', 'the file must have keys, not ""'),
        ("- name: a", "the file must have keys, not a list"),
    ],
)
def test_one_mistake_is_one_sentence_with_its_line(text: str, says: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("apps.yaml:")
    assert says in problem
