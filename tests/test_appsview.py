"""Apps as they are shown, and the difference between two states: one line for each change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.appsview import difference, render
from gateway.model import App, Rule

SHARE, DENY, REST = Rule("bypass", path="/share/"), Rule("deny", path="/admin"), Rule("one_factor", groups=("family",))
PHOTOS = App("photos", "Photos", ("photos.example.com",), (SHARE, REST))
VAULT = App("vault", "Vault", ("vault.example.com",), (REST,))


def test_what_is_not_set_is_not_shown() -> None:
    assert render([replace(PHOTOS, headers=(("X-Who", "{user}"),)), App("bare", "Bare", ("b.example.com",))]) == {
        "apps": [
            {
                "name": "photos",
                "title": "Photos",
                "hosts": ["photos.example.com"],
                "headers": {"X-Who": "{user}"},
                "rules": [{"policy": "bypass", "path": "/share/"}, {"policy": "one_factor", "groups": ["family"]}],
            },
            {"name": "bare", "title": "Bare", "hosts": ["b.example.com"]},
        ]
    }


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ([], [], []),
        ([PHOTOS, VAULT], [VAULT, PHOTOS], []),
        ([], [PHOTOS, VAULT], ["+ app photos (2 rules)", "+ app vault (1 rule)"]),
        ([PHOTOS, VAULT], [VAULT], ["- app photos"]),
        (
            [PHOTOS],
            [replace(PHOTOS, title="Immich", hosts=("p.example.com", "*.p.example.com"), upstream="http://immich")],
            [
                "~ app photos: title Photos -> Immich",
                "~ app photos: hosts [photos.example.com] -> [p.example.com, *.p.example.com]",
                "~ app photos: upstream nothing -> http://immich",
            ],
        ),
        (
            [PHOTOS],
            [replace(PHOTOS, rules=(SHARE, replace(REST, groups=("family", "guests"), outage=False)))],
            [
                "~ app photos: rule 2: groups [family] -> [family, guests]",
                "~ app photos: rule 2: outage true -> false",
            ],
        ),
        (
            [PHOTOS],
            [replace(PHOTOS, rules=(DENY, SHARE, REST))],
            ["+ app photos: rule 1: policy deny, path /admin"],
        ),
        (
            [PHOTOS],
            [replace(PHOTOS, rules=(REST,))],
            ["- app photos: rule 1: policy bypass, path /share/"],
        ),
        (
            [PHOTOS],
            [replace(PHOTOS, rules=(REST, SHARE))],
            [
                "+ app photos: rule 1: policy one_factor, groups [family]",
                "- app photos: rule 2: policy one_factor, groups [family]",
            ],
        ),
        (
            [replace(VAULT, upgrades=("tcp",))],
            [replace(VAULT, upgrades=("tcp", "spdy/3.1"))],
            ["~ app vault: upgrades [tcp] -> [tcp, spdy/3.1]"],
        ),
        (
            [replace(VAULT, headers=(("X-Who", "{user}"),))],
            [VAULT],
            ["~ app vault: headers [[X-Who, {user}]] -> []"],
        ),
    ],
)
def test_each_change_is_one_line(old: list[App], new: list[App], lines: list[str]) -> None:
    assert difference(old, new) == lines


@pytest.mark.parametrize("field", [name for name in App.__slots__ if name != "name"])
def test_no_field_of_an_app_changes_unseen(field: str) -> None:
    before = getattr(PHOTOS, field)
    other = replace(
        PHOTOS, **{field: () if isinstance(before, tuple) and before else ("x",) if before == () else "other"}
    )
    if field == "headers":
        other = replace(PHOTOS, headers=(("X", "y"),))
    if field == "rules":
        other = replace(PHOTOS, rules=(SHARE,))
    assert difference([PHOTOS], [other])


@pytest.mark.parametrize("field", Rule.__slots__)
def test_no_field_of_a_rule_changes_unseen(field: str) -> None:
    rule = Rule("deny")
    before = getattr(rule, field)
    other = replace(rule, **{field: ("x",) if before == () else (not before) if before is True else "other"})
    assert len(difference([replace(VAULT, rules=(rule,))], [replace(VAULT, rules=(other,))])) == 1
