"""Apps as people and programs look at them: as plain data, and as the difference between two states.

Pure; whoever lists or applies apps may call, by way of ``appsfile``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from difflib import SequenceMatcher

from gateway.model import App, Rule


def render(apps: Iterable[App]) -> dict[str, object]:
    """Plain data for JSON, without what is not set; written to a file it is a valid ``apps.yaml`` again."""
    return {"apps": [_app(app) for app in apps]}


def difference(old: Iterable[App], new: Iterable[App]) -> list[str]:
    """One short line for each change, ``+`` for what comes, ``-`` for what goes, ``~`` for what changes."""
    before, after = ({app.name: app for app in apps} for apps in (old, new))
    lines = [f"- app {name}" for name in before if name not in after]
    for name, app in after.items():
        if name not in before:
            lines.append(f"+ app {name} ({_rules(len(app.rules))})")
        elif app != before[name]:
            lines += _changes(before[name], app)
    return lines


def _app(app: App) -> dict[str, object]:
    shown = _set(app, App("", "", ()))
    if app.headers:
        shown["headers"] = dict(app.headers)
    if app.rules:
        shown["rules"] = [_set(rule, Rule("")) for rule in app.rules]
    return shown


def _set(value: App | Rule, unset: App | Rule) -> dict[str, object]:
    """What differs from the default; tuples as lists."""
    named = {one.name: getattr(value, one.name) for one in fields(value)}
    return {
        name: list(item) if isinstance(item, tuple) else item
        for name, item in named.items()
        if item != getattr(unset, name)
    }


def _changes(old: App, new: App) -> Iterator[str]:
    for line in _fields(old, new):
        yield f"~ app {new.name}: {line}"
    for sign, number, line in _rule_changes(old.rules, new.rules):
        yield f"{sign} app {new.name}: rule {number}: {line}"


def _rule_changes(old: tuple[Rule, ...], new: tuple[Rule, ...]) -> Iterator[tuple[str, int, str]]:
    """Rules are compared as a sequence, so one put in front does not make all of them look changed."""
    for tag, start, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        common = min(end - start, last - first)
        for offset in range(common):
            for line in _fields(old[start + offset], new[first + offset]):
                yield "~", first + offset + 1, line
        for position in range(start + common, end):
            yield "-", position + 1, words(old[position])
        for position in range(first + common, last):
            yield "+", position + 1, words(new[position])


def _fields(old: App | Rule, new: App | Rule) -> Iterator[str]:
    for one in fields(old):
        before, after = getattr(old, one.name), getattr(new, one.name)
        if before != after and one.name != "rules":
            yield f"{one.name} {_shown(before)} -> {_shown(after)}"


def words(rule: Rule) -> str:
    """A rule in one line, as people compare it."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in _set(rule, Rule("")).items())


def _shown(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple() | list():
            return f"[{', '.join(_shown(item) for item in value)}]"
        case _:
            return str(value) or "nothing"


def _rules(count: int) -> str:
    return "1 rule" if count == 1 else f"{count} rules"
