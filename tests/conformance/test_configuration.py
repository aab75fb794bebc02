"""Configuration that must not start (C063, C210, C324), and configuration that must."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import appsfile, settings
from gateway.errors import ConfigurationInvalid

PORTAL = "https://auth.example.com"


def load(directory: Path, portal: str, domain: str) -> settings.Settings:
    environ = {"GATEWAY_SERVER_PORTAL_URL": portal, "GATEWAY_SESSION_COOKIE_DOMAIN": domain}
    return settings.load(directory, {name: value for name, value in environ.items() if value})[0]


@pytest.mark.parametrize(
    ("portal", "domain"),
    [
        (PORTAL, "com"),
        ("https://auth.example.co.uk", "co.uk"),
        ("https://auth.github.io", "github.io"),
        (PORTAL, "127.0.0.1"),
        (PORTAL, "other.org"),
        (PORTAL, "notexample.com"),
        (PORTAL, "xample.com"),
        ("https://127.0.0.1", ""),
        ("http://auth.example.com", ""),
    ],
)
def test_a_cookie_that_no_browser_would_keep_or_strangers_would_get_is_refused_at_start(
    tmp_path: Path, portal: str, domain: str
) -> None:
    with pytest.raises(ConfigurationInvalid):
        load(tmp_path, portal, domain)


@pytest.mark.parametrize("domain", ["example.com", "EXAMPLE.com", ".example.com", "auth.example.com", ""])
def test_a_domain_of_ones_own_is_taken_in_one_spelling(tmp_path: Path, domain: str) -> None:
    """C210 leaves a choice: a leading dot has meant nothing since RFC 6265, and is taken off."""
    assert load(tmp_path, PORTAL, domain).session.cookie_domain == (domain.lower().lstrip(".") or "example.com",)


def test_nobody_is_a_trusted_proxy_by_default(tmp_path: Path) -> None:
    trust = load(tmp_path, PORTAL, "").trust
    assert (trust.proxies, trust.unix, trust.secret) == ((), False, "")


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{polcy: bypass}", "polcy"),
        ("{policy: bypas}", "bypas"),
        ("{policy: bypass, pth: /x}", "pth"),
        ("{policy: one_factor, groups: []}", "groups"),
        ("{policy: one_factor, path_regex: '('}", "path_regex"),
        ("{policy: bypass, groups: [admins]}", "groups"),
    ],
)
def test_a_typo_in_a_rule_is_an_error_that_names_its_line(line: str, wrong: str) -> None:
    text = f"apps:\n  - name: app\n    hosts: [app.example.com]\n    rules:\n      - {line}\n"
    with pytest.raises(ConfigurationInvalid, match=wrong) as caught:
        appsfile.read(text, "apps.yaml", portal_host="auth.example.com")
    assert any("apps.yaml:5" in problem.where for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["", "apps: []", "apps:", "# nothing yet\n"])
def test_a_file_without_rules_is_valid_and_opens_nothing(text: str) -> None:
    assert appsfile.read(text, "apps.yaml", portal_host="auth.example.com") == []
