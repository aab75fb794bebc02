"""The pages a person sees: each renders, none lets a hostile value out of its place, none needs anything inline."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import jinja2
import pytest

from gateway.endpoints import pages

MOMENT = datetime(2026, 11, 4, 17, 9, tzinfo=UTC)
LOGIN: dict[str, Any] = {
    "action": "/login",
    "csrf": "c5rf",
    "return_token": "t0ken",
    "error": "",
    "username": "",
    "app_title": "",
}
SESSIONS = [
    {"id": "s1", "created": MOMENT, "last_seen": MOMENT, "current": True},
    {"id": "s2", "created": MOMENT, "last_seen": "yesterday", "current": False},
]
ACCOUNT: dict[str, Any] = {
    "user": "alice",
    "groups": ["admins", "family"],
    "apps": [("Immich", "https://photos.example.com/")],
    "csrf": "c5rf",
    "sessions": SESSIONS,
}
DENIED: dict[str, Any] = {
    "title": "You cannot open this page",
    "reason": "Your account is not in a group that may open Vault.",
    "app_title": "Vault",
    "user": "alice",
    "request_id": "7f3a9c21d0",
    "portal": "https://auth.example.com/",
}
MESSAGE: dict[str, Any] = {
    "title": "Try again",
    "text": "The database is away.",
    "request_id": "7f3a9c21d0",
    "home": "/",
}
PAGES: dict[str, dict[str, Any]] = {
    "login.html": LOGIN,
    "account.html": ACCOUNT,
    "signed_out.html": {},
    "continue.html": {"url": "https://photos.example.com/", "app_title": "Immich"},
    "message.html": MESSAGE,
    "denied.html": DENIED,
    "unanswered.html": {
        "title": "Immich does not answer",
        "reason": "The app cannot be reached.",
        "request_id": "7f3a9c21d0",
    },
}
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"
LAYOUTS = ("base.html", "elsewhere.html")
ON_AN_APPS_HOST = ("denied.html", "unanswered.html")
"""They carry their own style, because nothing of the portal is reachable there."""


class Elements(HTMLParser):
    """Every element of a page with its attributes, as a browser would read them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]

    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.found]


def replaced(value: Any, hostile: str) -> Any:
    """The same structure with every text in it replaced."""
    match value:
        case str():
            return hostile
        case dict():
            return {key: replaced(inner, hostile) for key, inner in value.items()}
        case list() | tuple():
            return [replaced(inner, hostile) for inner in value]
        case _:
            return value


def test_every_template_is_tried_here() -> None:
    assert {path.name for path in (pages.HERE / "templates").glob("*.html")} == {*PAGES, *LAYOUTS}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_renders_as_one_html_document(name: str) -> None:
    page = pages.render(name, **PAGES[name])
    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert page.rstrip().endswith("</html>")
    titles = re.findall(r"<title>(.+) · Gateway</title>", page)
    assert len(titles) == 1
    assert len(Elements(page).all("h1")) == 1


@pytest.mark.parametrize("name", [name for name in PAGES if PAGES[name]])
def test_a_hostile_value_adds_no_element_and_no_attribute(name: str) -> None:
    values = replaced(PAGES[name], HOSTILE)
    plain = replaced(PAGES[name], "plain")
    page = pages.render(name, **values)
    assert Elements(page).shape() == Elements(pages.render(name, **plain)).shape()
    assert "<script" not in page
    assert "{{7*7}}" in page, "the value should stand there, as text"


@pytest.mark.parametrize("name", [name for name in PAGES if PAGES[name]])
@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/\\evil", "/\t/evil", " /x"]
)
def test_a_hostile_address_becomes_no_link(name: str, url: str) -> None:
    values = replaced(PAGES[name], url)
    for _, attributes in Elements(pages.render(name, **values)).found:
        for where in ("href", "action", "src"):
            assert attributes.get(where) != url
        assert url not in attributes.get("content", "")


@pytest.mark.parametrize("name", [name for name in PAGES if PAGES[name]])
def test_a_forgotten_value_is_an_error(name: str) -> None:
    for missing in PAGES[name]:
        with pytest.raises(jinja2.UndefinedError, match=missing):
            pages.render(name, **{key: value for key, value in PAGES[name].items() if key != missing})


@pytest.mark.parametrize("name", PAGES)
def test_nothing_in_a_page_needs_a_script_or_an_inline_style(name: str) -> None:
    elements = Elements(pages.render(name, **PAGES[name]))
    assert not elements.all("script")
    assert len(elements.all("style")) == (1 if name in ON_AN_APPS_HOST else 0)
    for _, attributes in elements.found:
        assert not any(key == "style" or key.startswith("on") for key in attributes)


@pytest.mark.parametrize("headers", [pages.PAGE_HEADERS, pages.DENIED_HEADERS], ids=["page", "denied"])
def test_the_policy_starts_from_nothing_and_allows_nothing_unsafe(headers: dict[str, str]) -> None:
    directives = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["base-uri"] == "'none'"
    assert "script-src" not in directives
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "*" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("headers", [pages.PAGE_HEADERS, pages.DENIED_HEADERS], ids=["page", "denied"])
def test_a_page_is_not_framed_sniffed_stored_or_named_to_others(headers: dict[str, str]) -> None:
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"


def test_a_portal_page_takes_style_images_and_forms_from_its_own_host_only() -> None:
    policy = pages.PAGE_HEADERS["Content-Security-Policy"]
    assert "style-src 'self'; img-src 'self'; form-action 'self'" in policy


def test_the_denied_page_carries_exactly_the_style_that_its_policy_names() -> None:
    style = re.search(r"<style>(.*?)</style>", pages.render("denied.html", **DENIED), re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in pages.DENIED_HEADERS["Content-Security-Policy"]


def test_the_denied_page_fetches_nothing_since_it_stands_on_another_host() -> None:
    elements = Elements(pages.render("denied.html", **DENIED))
    assert not elements.all("link")
    assert not elements.all("img")
    assert [a["href"] for a in elements.all("a")] == ["https://auth.example.com/"]


def test_the_denied_page_offers_another_sign_in_only_to_somebody_known() -> None:
    assert "Sign in as somebody else" in pages.render("denied.html", **DENIED)
    unknown = pages.render("denied.html", **DENIED | {"user": ""})
    assert "somebody else" not in unknown
    assert "signed in as" not in unknown


def test_the_files_stay_small() -> None:
    assert len(pages.render("denied.html", **DENIED).encode()) < 3_000
    assert (pages.STATIC / "portal.css").stat().st_size < 6_000
    assert (pages.STATIC / "favicon.svg").stat().st_size < 1_000


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ON_AN_APPS_HOST])
def test_a_portal_page_names_files_that_exist_under_static(name: str) -> None:
    elements = Elements(pages.render(name, **PAGES[name]))
    addresses = [link["href"] for link in elements.all("link")] + [image["src"] for image in elements.all("img")]
    assert len(addresses) == 3
    for address in addresses:
        assert address.startswith("/static/")
        assert (pages.STATIC / address.removeprefix("/static/").partition("?")[0]).is_file()


def test_every_field_of_the_login_form_has_a_label_and_helps_password_managers() -> None:
    elements = Elements(pages.render("login.html", **LOGIN))
    visible = [field for field in elements.all("input") if field["type"] != "hidden"]
    assert [field["autocomplete"] for field in visible] == ["username", "current-password"]
    assert {label["for"] for label in elements.all("label")} == {field["id"] for field in visible}


@pytest.mark.parametrize(("username", "focused"), [("", "username"), ("alice", "password")])
def test_the_first_empty_field_has_the_focus(username: str, focused: str) -> None:
    elements = Elements(pages.render("login.html", **LOGIN | {"username": username}))
    assert [field["name"] for field in elements.all("input") if "autofocus" in field] == [focused]


def test_a_failed_sign_in_is_announced_and_never_repeats_a_password() -> None:
    page = pages.render("login.html", **LOGIN | {"error": "They do not match.", "username": "alice"})
    elements = Elements(page)
    assert [p["role"] for p in elements.all("p") if p.get("id") == "error"] == ["alert"]
    password = next(field for field in elements.all("input") if field["name"] == "password")
    assert password["aria-describedby"] == "error"
    assert "value" not in password


def test_every_form_posts_with_the_token_against_forgery() -> None:
    for name in ("login.html", "account.html"):
        elements = Elements(pages.render(name, **PAGES[name]))
        assert all(form["method"] == "post" for form in elements.all("form"))
        tokens = [field for field in elements.all("input") if field["name"] == "csrf" and field["value"] == "c5rf"]
        assert len(tokens) == len(elements.all("form")) > 0


def test_the_account_page_ends_other_sessions_and_signs_out_of_this_one() -> None:
    elements = Elements(pages.render("account.html", **ACCOUNT))
    assert [form["action"] for form in elements.all("form")] == ["/logout", "/account/sessions/end"]
    assert [field["value"] for field in elements.all("input") if field["name"] == "id"] == ["s2"]


def test_an_account_without_apps_or_groups_says_what_to_do() -> None:
    page = pages.render("account.html", **ACCOUNT | {"groups": [], "apps": []})
    assert "In no group yet" in page
    assert "No app is open to you yet" in page


def test_the_continue_page_goes_on_by_itself_and_by_a_link() -> None:
    elements = Elements(pages.render("continue.html", **PAGES["continue.html"]))
    refresh = [meta["content"] for meta in elements.all("meta") if meta.get("http-equiv") == "refresh"]
    assert refresh == ["0; url=https://photos.example.com/"]
    assert "https://photos.example.com/" in [a["href"] for a in elements.all("a")]


def test_a_moment_is_told_in_utc_and_a_text_is_left_alone() -> None:
    elsewhere = datetime(2026, 11, 4, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert pages.when(elsewhere) == '<time datetime="2026-11-03T23:30:00+00:00">3 Nov 2026, 23:30 UTC</time>'
    assert pages.when("just now") == "just now"


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        ("ink", "card", 7.0),
        ("soft", "card", 4.5),
        ("soft", "page", 4.5),
        ("soft", "tint", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-accent", "accent-strong", 4.5),
        ("accent", "tint", 4.5),
        ("bad", "bad-tint", 4.5),
        ("edge", "card", 3.0),
        ("accent", "card", 3.0),
    ],
)
def test_the_colours_can_be_told_apart_as_wcag_asks(scheme: int, ink: str, ground: str, least: float) -> None:
    css = (pages.STATIC / "portal.css").read_text(encoding="utf-8")
    roots = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", roots[scheme]))
    assert contrast(colours[ink], colours[ground]) >= least


@pytest.mark.parametrize("name", ["account.html", "message.html"])
def test_headings_do_not_skip_a_level(name: str) -> None:
    levels = [
        int(tag[1]) for tag, _ in Elements(pages.render(name, **PAGES[name])).found if re.fullmatch("h[1-6]", tag)
    ]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
