"""The page that is asked for: one that wants a sign-in, and what strangers may open beside it."""

from __future__ import annotations

import pytest

from gateway import appsfile
from gateway.doctor import page
from gateway.errors import Refused
from gateway.settings import Server, Settings

APPS = """
apps:
  - name: app
    hosts: [app.example.com]
    headers: {X-Auth-User: "{user}"}
    rules:
      - {path: /office/, policy: bypass, networks: [192.0.2.0/24]}
      - {path: /closed/, policy: deny}
      - {path: /closed/share/, policy: bypass}
      - {path_regex: ^/p/, policy: bypass}
      - {path_exact: /ping, policy: bypass}
      - {policy: one_factor}
  - name: plain
    hosts: ["*.plain.example.com"]
    rules: [{policy: two_factor}]
"""
SETTINGS = Settings(server=Server(portal_url="https://auth.example.com"))
STORED = [(1, app) for app in appsfile.read(APPS, "apps.yaml", portal_host="auth.example.com")]


def find(url: str) -> page.Page:
    return page.find(page.read(url), STORED, SETTINGS, 0.0)


def test_a_page_knows_what_its_app_is_told_and_what_strangers_may_really_open() -> None:
    found = find("https://app.example.com/x?y=1")
    assert found.names == ["Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Auth-User"]
    assert found.open_path == "/ping"
    assert (found.request.uri, found.origin) == ("/x?y=1", "https://app.example.com")
    assert (found.cookie, found.portal) == ("__Secure-gateway_session", "https://auth.example.com")


def test_an_app_without_a_public_page_has_none() -> None:
    assert find("https://a.plain.example.com").open_path == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://app.example.com/ping", "everybody may open /ping"),
        ("https://app.example.com/closed/x", "nobody may open /closed/x"),
        ("https://other.example.com/", "no app here owns the host other.example.com"),
        ("ftp://app.example.com/", "is not a URL such as"),
        ("app.example.com", "is not a URL such as"),
        ("https://[app/", "is not a URL such as"),
        ("https://user@app.example.com/", "malformed"),
        ("https://app.example.com/a/../b", "malformed"),
    ],
)
def test_what_cannot_be_examined_is_said(url: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        find(url)
