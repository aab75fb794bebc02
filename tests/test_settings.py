"""Settings: from a file and an environment, checked whole, every problem in one report with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from ipaddress import ip_network
from pathlib import Path
from textwrap import dedent

import pytest

from gateway import settings, settings_fields
from gateway.errors import ConfigurationInvalid
from gateway.settings import Settings

PORTAL = {"GATEWAY_SERVER_PORTAL_URL": "https://auth.example.com"}
CANARY = "canary-0123456789abcdef"


def load(directory: Path, text: str = "", environ: Mapping[str, str] = PORTAL, **how: bool) -> Settings:
    (directory / settings.FILE).write_text(dedent(text), "utf-8")
    return settings.load(directory, environ, **how)[0]


def problems(directory: Path, text: str = "", environ: Mapping[str, str] = PORTAL) -> list[str]:
    """The report, its places without the directory."""
    with pytest.raises(ConfigurationInvalid) as caught:
        load(directory, text, environ)
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)
    return [str(problem).replace(f"{directory}/", "") for problem in caught.value.problems]


# What is loaded ------------------------------------------------------------------------------------------------------


def test_a_portal_is_all_that_has_to_be_said(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert (found.server.listen, found.server.internal_listen) == ("127.0.0.1:8000", "127.0.0.1:8001")
    assert (found.portal_host, found.secure_cookies) == ("auth.example.com", True)
    assert found.session.cookie_domain == ("example.com",)
    assert found.server.keys_file == found.server.data_dir / "keys.json"


def test_nobody_is_trusted_by_default(tmp_path: Path) -> None:  # C063
    trust = load(tmp_path).trust
    assert (trust.proxies, trust.unix, trust.secret) == ((), False, "")
    assert load(tmp_path, "trust: {proxies: []}").trust.proxies == ()


def test_a_missing_file_is_an_empty_one(tmp_path: Path) -> None:
    assert settings.load(tmp_path, PORTAL)[0] == load(tmp_path, "")
    assert load(tmp_path, "server:\ntrust:\n  # proxies: []\n") == load(tmp_path, "")


def test_a_variable_wins_over_the_file_and_says_lists_with_commas(tmp_path: Path) -> None:
    environ = PORTAL | {
        "GATEWAY_SERVER_WORKERS": "3",
        "GATEWAY_SERVER_EXPRESS": "false",
        "GATEWAY_TRUST_PROXIES": "10.0.0.0/8, 192.0.2.7,",
        "GATEWAY_CACHE_GRACE": "0s",
    }
    found = load(tmp_path, "server: {workers: 2, listen: 0.0.0.0:9}\ntrust: {proxies: [127.0.0.1]}", environ)
    assert (found.server.workers, found.server.listen, found.server.express) == (3, "0.0.0.0:9", False)
    assert found.trust.proxies == (ip_network("10.0.0.0/8"), ip_network("192.0.2.7"))
    assert found.cache.grace == 0


def test_every_key_has_a_variable_and_every_field_a_key() -> None:
    keys = {one.name for one in settings_fields.FIELDS}
    parts = {part.name: getattr(Settings(), part.name) for part in fields(Settings)}
    assert keys == {f"{name}.{one.name}" for name, part in parts.items() for one in fields(part)}
    assert len({one.variable for one in settings_fields.FIELDS}) == len(keys)


def test_apps_that_are_carried_have_bounds_that_can_be_changed(tmp_path: Path) -> None:
    found = load(tmp_path).upstream
    assert (found.connect, found.answer, found.idle, found.connections, found.ca_file) == (5, 300, 4, 1000, None)
    environ = PORTAL | {"GATEWAY_UPSTREAM_ANSWER": "0s", "GATEWAY_UPSTREAM_CONNECTIONS": "7"}
    found = load(tmp_path, "upstream: {connect: 1s, answer: 1h, idle: 1m}", environ).upstream
    assert (found.connect, found.answer, found.idle, found.connections) == (1, 0, 60, 7)


def test_defaults_follow_what_was_said(tmp_path: Path) -> None:
    environ = PORTAL | {"GATEWAY_DATABASE_URL": "postgresql://a@b/c", "GATEWAY_SESSION_ABSOLUTE": "1h"}
    found = load(tmp_path, f"server: {{data_dir: {tmp_path}}}", environ)
    assert found.server.keys_file == tmp_path / "keys.json"
    assert found.database.listen_url == "postgresql://a@b/c"
    assert found.session.idle == found.session.absolute == 3600


@pytest.mark.parametrize(
    ("environ", "root", "directory"),
    [
        ({"HOME": "/home/a"}, False, "/home/a/.local/state/forwardauth-gateway"),
        ({"HOME": "/home/a", "XDG_STATE_HOME": "/state"}, False, "/state/forwardauth-gateway"),
        ({"HOME": "/home/a", "XDG_STATE_HOME": "state"}, False, "/home/a/.local/state/forwardauth-gateway"),
        ({"HOME": "/root", "XDG_STATE_HOME": "/state"}, True, "/var/lib/forwardauth-gateway"),
        ({}, False, "/var/lib/forwardauth-gateway"),
    ],
)
def test_state_is_kept_where_the_platform_keeps_it(environ: dict[str, str], root: bool, directory: str) -> None:
    assert settings.state_directory(environ, root=root) == Path(directory)


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(FrozenInstanceError):
        load(tmp_path).server.listen = "0.0.0.0:1"  # type: ignore[misc]


# What is refused -----------------------------------------------------------------------------------------------------


def test_every_problem_is_in_one_report_with_its_place_and_what_was_meant(tmp_path: Path) -> None:
    text = """\
        server:
          lisen: 127.0.0.1:8000
          workers: none
        sesion: {idle: 7d}
        trust:
          proxies: [10.0.0.1/8]
        cache:
          grace: 5
        """
    assert problems(tmp_path, text, {"GATEWAY_CACHE_PRELOAD": "-1"}) == [
        'gateway.yaml:4: the file has no key "sesion" (did you mean "session"?)',
        'gateway.yaml:2: server has no key "lisen" (did you mean "listen"?)',
        'gateway.yaml:3: server.workers: must be a whole number, not "none"',
        "GATEWAY_CACHE_PRELOAD: cache.preload: must be between 0 and 2147483647, not -1",
        "gateway.yaml:8: cache.grace: must be a duration such as 4s, 10m, 1h or 7d, not 5",
        'gateway.yaml:6: trust.proxies: "10.0.0.1/8" is not the first address of its network; write 10.0.0.0/8,'
        " or the address without /8",
        "gateway.yaml: server.portal_url is missing (such as https://auth.example.com, in the file or as"
        " GATEWAY_SERVER_PORTAL_URL)",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("server: {listen: 8000}", "put quotes around 8000"),
        ("server: {listen: '127.0.0.1:8001'}", "server.internal_listen is 127.0.0.1:8001, where server.listen is"),
        ("server: {portal_url: 'http://auth.example.com'}", "must begin with https://"),
        ("server: {data_dir: state}", 'a whole path that begins with "/"'),
        ("server: {express: 1}", "must be true or false, not 1"),
        ("server: [listen]", "server must have keys, not a list"),
        ("server: {listen: a:1}\nserver: {listen: b:2}", '"server" is given twice'),
        ("- server", "the file must have keys"),
        ("trust: {proxies: 10.0.0.0/8}", "must be a list; write [10.0.0.0/8]"),
        ("trust: {proxies: [0.0.0.0/0]}", "would believe everybody"),
        ("trust: {proxies: [10.0.0.0/8, '::/0']}", "would believe everybody"),
        ("trust: {proxies: ['*']}", "is not a network"),
        ("trust: {unix: maybe}", "must be true or false"),
        ("session: {reach: host}", "comes later"),
        ("session: {idle: 31d}", "session.idle is longer than session.absolute"),
        ("session: {idle: 0s}", "must be longer than 0s"),
        ("log: {level: loud}", "must be one of debug, info, warning, error"),
        ("database: {url: 'mysql://a@b/c'}", "must be a URL such as postgresql://"),
        ("database: {pool_size: 0}", "must be between 1"),
        ("upstream: {connect: 0s}", "must be longer than 0s"),
        ("upstream: {idle: 0s}", "must be longer than 0s"),
        ("upstream: {answer: 5}", "must be a duration"),
        ("upstream: {connections: 0}", "must be between 1"),
        ("upstream: {ca_file: ca.pem}", 'a whole path that begins with "/"'),
        ("upstream: {ca_file: /nowhere/at/all}", "upstream.ca_file: /nowhere/at/all cannot be read: No such file"),
        ("upstream: {ca_file: /}", "cannot be read: Is a directory"),
    ],
)
def test_one_mistake_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    environ = {} if "portal_url" in text else PORTAL
    (problem,) = (one for one in problems(tmp_path, text, environ) if "portal_url is missing" not in one)
    assert problem.startswith("gateway.yaml:")
    assert says in problem


def test_a_file_that_is_no_text_or_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / settings.FILE
    file.write_bytes(b"server: \xff")
    with pytest.raises(ConfigurationInvalid, match="is not UTF-8 text"):
        settings.load(tmp_path, PORTAL)
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigurationInvalid, match="cannot be read: Is a directory"):
        settings.load(tmp_path, PORTAL)


BEGIN, END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("before", ["", "# the house's own\n\n", f"{BEGIN}MIIA\n{END}"])
def test_authorities_of_apps_are_a_file_of_certificates(tmp_path: Path, before: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(f"{before}{BEGIN}MIIBszCCAVmgAwIBAgIU\r\nqqw=\n{END}")
    assert load(tmp_path, f"upstream: {{ca_file: {file}}}").upstream.ca_file == file
    assert load(tmp_path, "", PORTAL | {"GATEWAY_UPSTREAM_CA_FILE": str(file)}).upstream.ca_file == file


@pytest.mark.parametrize(
    "content", ["", "hello", "\xff\0", BEGIN, f"{BEGIN}{END}", f"{BEGIN}MIIB*\n{END}", f"{END}MIIB\n{BEGIN}"]
)
def test_a_file_that_holds_no_certificate_is_a_problem(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content.encode("latin-1"))
    (problem,) = problems(tmp_path, f"log:\nupstream: {{ca_file: {file}}}")
    assert problem.startswith("gateway.yaml:2: upstream.ca_file: ca.pem holds no certificate in PEM")


def test_whoever_does_not_serve_needs_no_portal(tmp_path: Path) -> None:
    found = load(tmp_path, "", {}, need_portal=False)
    assert (found.portal_host, found.session.cookie_domain, found.secure_cookies) == ("", (), False)
    with pytest.raises(ConfigurationInvalid, match="portal_url is missing"):
        load(tmp_path, "", {})


def test_an_unknown_variable_is_a_warning_because_orchestrators_inject_some(tmp_path: Path) -> None:
    environ = {
        "GATEWAY_SERVER_LISEN": "x",
        "GATEWAY_PORT_80_TCP": "tcp://10.0.0.1:80",
        "OTHER": "x",
        "GATEWAY_CONFIG": "c",
    }
    found, warnings = settings.load(tmp_path, PORTAL | environ)
    assert found == load(tmp_path)
    assert len(warnings) == 2
    assert warnings[0].startswith("GATEWAY_PORT_80_TCP is not a setting and is ignored")
    assert 'did you mean "GATEWAY_SERVER_LISTEN"?' in warnings[1]
    assert "10.0.0.1" not in warnings[0], "a value is not repeated"


# Cookie domains ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ("com", "under which strangers register names"),
        ("co.uk", "under which strangers register names"),
        ("github.io", "under which strangers register names"),
        ("CO.UK.", "under which strangers register names"),
        ("127.0.0.1", "is an address"),
        ("example.org", "the portal auth.example.com is under none of it"),
        ("ample.com", "the portal auth.example.com is under none of it"),
        ("other.example.com", "is under none of it"),
        ("https://example.com", "is not a host name"),
    ],
)
def test_a_cookie_domain_that_strangers_share_or_the_portal_does_not_is_refused(
    tmp_path: Path, domain: str, says: str
) -> None:  # C210
    report = problems(tmp_path, f"session: {{cookie_domain: '{domain}'}}")
    assert all(line.startswith("gateway.yaml:1: session.cookie_domain") for line in report)
    assert says in "".join(report)


@pytest.mark.parametrize(
    ("written", "domains"),
    [
        ("example.com", ("example.com",)),
        (".example.com", ("example.com",)),
        ("auth.example.com", ("auth.example.com",)),
        ("[Example.com, .example.com, example.org]", ("example.com", "example.org")),
    ],
)
def test_a_leading_dot_and_capitals_say_nothing(tmp_path: Path, written: str, domains: tuple[str, ...]) -> None:
    assert load(tmp_path, f"session: {{cookie_domain: {written}}}").session.cookie_domain == domains


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("auth.example.com", "example.com"),
        ("auth.a.b.example.co.uk", "example.co.uk"),
        ("auth.me.github.io", "me.github.io"),
        ("auth.gateway.localhost", "gateway.localhost"),
        ("auth.localhost", "auth.localhost"),
        ("me.github.io", "me.github.io"),
        ("github.io", ""),
        ("portal", ""),
    ],
)
def test_unless_said_the_domain_is_what_can_be_registered(host: str, domain: str) -> None:
    assert settings.default_domain(host) == domain


def test_a_portal_without_a_domain_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "", {"GATEWAY_SERVER_PORTAL_URL": "https://github.io"})
    assert (
        problem
        == "GATEWAY_SERVER_PORTAL_URL: server.portal_url has no domain to share with apps: github.io stands alone"
    )


# Secrets -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_may_be_in_a_file(tmp_path: Path, end: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f"{CANARY}{end}".encode())
    assert load(tmp_path, f"trust: {{secret_file: {file}}}").trust.secret == CANARY
    assert load(tmp_path, "", PORTAL | {"GATEWAY_TRUST_SECRET_FILE": str(file)}).trust.secret == CANARY
    file.write_text(f"postgresql://a:{CANARY}@b/c")
    assert load(tmp_path, f"database: {{url_file: {file}}}").database.url == f"postgresql://a:{CANARY}@b/c"


def test_a_variable_replaces_a_secret_of_the_file_whichever_way_each_is_given(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("another-secret-0123456789")
    text = f"trust: {{secret_file: {file}}}"
    assert load(tmp_path, text, PORTAL | {"GATEWAY_TRUST_SECRET": CANARY}).trust.secret == CANARY
    text = f"trust: {{secret: {CANARY}}}"
    spoken = PORTAL | {"GATEWAY_TRUST_SECRET_FILE": str(file)}
    assert load(tmp_path, text, spoken).trust.secret == "another-secret-0123456789"


@pytest.mark.parametrize(
    ("text", "environ", "says"),
    [
        ("trust: {secret: A, secret_file: /tmp/x}", {}, "trust.secret and trust.secret_file are both given"),
        ("", {"GATEWAY_TRUST_SECRET": "A", "GATEWAY_TRUST_SECRET_FILE": "/x"}, "are both given"),
        ("trust: {secret_file: /nowhere/at/all}", {}, "cannot be read: No such file"),
        ("trust: {secret_file: secret}", {}, 'a whole path that begins with "/"'),
        ("trust: {secret_file: [a]}", {}, "must be a text, not a list"),
        ("trust: {secret: short}", {}, "at least 16 characters"),
        ("trust: {secret: 'canary 0123456789abcdef'}", {}, "without spaces"),
        ("trust: {secret: 'canáry-0123456789abcdef'}", {}, "of ASCII"),
        ("trust: {secret: 123456789012345678}", {}, "put quotes around it"),
        (f"trust: {{secret: [{CANARY}]}}", {}, "put quotes around it"),
        (f"database: {{url: 'mysql://a:{CANARY}@b/c'}}", {}, "must be a URL such as"),
        (f'database: {{url: "postgresql://a:{CANARY}@b/c\\n"}}', {}, "control character"),
    ],
)
def test_a_secret_that_cannot_be_used_is_a_problem_that_does_not_repeat_it(
    tmp_path: Path, text: str, environ: dict[str, str], says: str
) -> None:
    report = "\n".join(problems(tmp_path, text, PORTAL | environ))
    assert says in report
    assert "can" not in report.replace("cannot be read", "")
    assert "1234567890" not in report


def test_a_file_that_holds_no_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff" * 20)
    (problem,) = problems(tmp_path, f"trust: {{secret_file: {tmp_path}/secret}}")
    assert problem == "gateway.yaml:1: trust.secret_file: secret is not UTF-8 text"


def test_what_is_shown_of_settings_holds_no_secret(tmp_path: Path) -> None:
    environ = PORTAL | {
        "GATEWAY_TRUST_SECRET": CANARY,
        "GATEWAY_DATABASE_URL": f"postgresql://a:{CANARY}@b/c",
        "GATEWAY_DATABASE_LISTEN_URL": f"postgresql://a:{CANARY}@d/e",
    }
    found = load(tmp_path, "", environ)
    assert CANARY in found.trust.secret
    assert CANARY not in repr(found)
    assert CANARY not in str(found)
