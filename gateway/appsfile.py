"""``apps.yaml``: apps and their rules, read from a text, every problem at once with its line.

What a rule's condition may say is asked of the conditions themselves. Nothing is stored or compiled here. Whoever
applies, checks or edits apps may call; how apps are shown and compared is ``appsview``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from gateway import addresses, conditions, documents, headers, values
from gateway.appsview import difference as difference
from gateway.appsview import render as render
from gateway.documents import Node
from gateway.errors import ConfigurationInvalid, Problem
from gateway.model import App, Rule

POLICIES = ("bypass", "one_factor", "two_factor", "deny")
PATHS = ("path", "path_exact", "path_regex")
RESERVED = "portal"
"""The name under which the gateway's own pages are an app of the policy."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PROTOCOL = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(?:/[a-z0-9!#$%&'*+.^_`|~-]+)?")
"""What Upgrade names, in lower case (RFC 9110 section 7.8)."""
_UNJUDGED = {"http", "h2", "h2c"}


class Draft(NamedTuple):
    """An app as far as it could be read: its values, and where each of them stands."""

    values: dict[str, Any]
    places: dict[str, str]


def read(text: str, filename: str, *, portal_host: str) -> list[App]:
    """The apps of a file. None at all is valid: then everybody is denied everything but the portal."""
    return read_all({filename: text}, portal_host=portal_host)


def read_all(texts: Mapping[str, str], *, portal_host: str) -> list[App]:
    """The apps of several files (each text by its file's name), which are one policy: names and hosts are unique in all."""
    problems: list[Problem] = []
    drafts = [draft for filename, text in texts.items() for draft in _drafts(text, filename, problems)]
    problems += _names_twice(drafts)
    problems += _hosts_twice(drafts)
    problems += _covering(drafts, portal_host)
    if problems:
        raise ConfigurationInvalid(problems)
    return [App(**{"title": draft.values["name"]} | draft.values) for draft in drafts]


def _drafts(text: str, filename: str, problems: list[Problem]) -> list[Draft]:
    try:
        root, found = documents.read(text, filename)
    except ConfigurationInvalid as error:
        problems += error.problems
        return []
    problems += found
    given = {} if root.value is None else documents.entries(root, ("apps",), "the file", problems)
    nodes = _list(given.get("apps"), problems)
    return [_app(node, number, problems) for number, node in enumerate(nodes, 1)]


def app_name(value: object) -> str:
    """What an app is called in commands, keys and logs."""
    written = values.text(value)
    if not _NAME.fullmatch(written):
        raise ValueError(
            f'"{written}" cannot be a name: small letters, digits and -, at most 63, a letter or digit first'
        )
    if written == RESERVED:
        raise ValueError(f'"{RESERVED}" is what the gateway calls its own pages')
    return written


def _hosts(value: object) -> tuple[str, ...]:
    return tuple(addresses.host_pattern(item) for item in values.texts(value))


def _origins(value: object) -> tuple[str, ...]:
    return tuple(addresses.base_url(item) for item in values.texts(value))


def _upgrades(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_upgrade(item) for item in values.texts(value)))


def _upgrade(written: str) -> str:
    """A protocol as Upgrade names it. No HTTP and no TLS: requests would pass through the tunnel without a check."""
    protocol = written.lower()
    name = protocol.partition("/")[0]
    if not _PROTOCOL.fullmatch(protocol):
        raise ValueError(f'"{written}" is not the name of a protocol, such as spdy/3.1')
    if name == "websocket":
        raise ValueError("websocket is always there; leave it out")
    if name in _UNJUDGED or name.startswith("tls"):
        raise ValueError(f'"{written}" is never tunnelled: a tunnel of it would be a door that nobody judges')
    return protocol


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not value:
        raise ValueError('must name headers and what they say, as in {X-User: "{user}"}')
    written = tuple((name, values.text(pattern)) for name, pattern in value.items())
    if len({name.lower() for name, _ in written}) < len(written):
        raise ValueError("names one header twice; upper and lower case are the same there")
    return headers.template(written)


def _condition(member: ModuleType) -> Callable[[object], Any]:
    """A rule keeps what was written; the condition only has to accept it."""

    def read(value: object) -> Any:
        member.parse(value)
        return tuple(value) if isinstance(value, list) else value

    return read


APP_KEYS: Mapping[str, Callable[[object], Any]] = {
    "name": app_name,
    "title": values.text,
    "hosts": _hosts,
    "upstream": addresses.upstream,
    "upgrades": _upgrades,
    "authorization": values.choice("app", "gateway"),
    "preflight": values.choice("check", "pass"),
    "origins": _origins,
    "headers": _headers,
}
RULE_KEYS: Mapping[str, Callable[[object], Any]] = {
    **{key: _condition(member) for key, member in conditions.BY_KEY.items()},
    "policy": values.choice(*POLICIES),
    "outage": values.truth,
}


def _list(node: Node | None, problems: list[Problem]) -> list[Node]:
    if node is None or node.value is None:
        return []
    if not isinstance(node.value, list):
        problems.append(
            Problem(node.where, f"must be a list, not {values.said(node.plain())}", 'items begin with "- "')
        )
        return []
    return node.value


def _app(node: Node, number: int, problems: list[Problem]) -> Draft:
    label = _label(node, number)
    given = documents.entries(node, [*APP_KEYS, "rules"], label, problems)
    draft = _read(given, APP_KEYS, label, problems)
    if isinstance(node.value, dict):
        missing = [key for key in ("name", "hosts") if key not in given]
        problems += [Problem(node.where, f"{label} has no {key}") for key in missing]
    rules = _list(given.get("rules"), problems)
    draft.values["rules"] = tuple(_rule(rule, f"rule {n} of {label}", problems) for n, rule in enumerate(rules, 1))
    return draft


def _label(node: Node, number: int) -> str:
    name = node.value.get("name") if isinstance(node.value, dict) else None
    return f"app {name.value}" if name and isinstance(name.value, str) else f"app number {number}"


def _read(
    given: Mapping[str, Node], keys: Mapping[str, Callable[[object], Any]], label: str, problems: list[Problem]
) -> Draft:
    """Each value as its key reads it; what cannot be read becomes a problem and stays out."""
    draft = Draft({}, {key: node.where for key, node in given.items()})
    for key in (key for key in given if key in keys):
        try:
            draft.values[key] = keys[key](given[key].plain())
        except ValueError as error:
            problems.append(Problem(given[key].where, f"{label}: {key}: {error}"))
    return draft


def _rule(node: Node, label: str, problems: list[Problem]) -> Rule:
    given = documents.entries(node, RULE_KEYS, label, problems)
    draft = _read(given, RULE_KEYS, label, problems)
    if isinstance(node.value, dict):
        problems += _incoherent(node.where, given.keys(), draft, label)
    return Rule(**{"policy": ""} | draft.values)


def _incoherent(where: str, given: Collection[str], draft: Draft, label: str) -> Iterator[Problem]:
    """What is wrong with the keys of a rule together."""
    if "policy" not in given:
        yield Problem(where, f"{label} has no policy", f"one of {', '.join(POLICIES)}")
    paths = [key for key in PATHS if key in given]
    if len(paths) > 1:
        yield Problem(draft.places[paths[1]], f"{label} has {' and '.join(paths)}", "one of them only; write two rules")
    subjects = [key for key in given if key in conditions.BY_KEY and conditions.BY_KEY[key].SUBJECT]
    if draft.values.get("policy") == "bypass" and subjects:
        named = " and ".join(subjects)
        hint = f"leave {named} out, or write one_factor"
        yield Problem(draft.places[subjects[0]], f"{label}: bypass may not name subjects ({named})", hint)


def _names_twice(drafts: list[Draft]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for draft in drafts:
        if name := draft.values.get("name"):
            where = draft.places["name"]
            if first.setdefault(name, where) != where:
                yield Problem(where, f"another app is named {name}", f"first in {first[name]}")


def _hosts_twice(drafts: list[Draft]) -> Iterator[Problem]:
    """A host belongs to one app. Under a wildcard an exact name, or a longer wildcard, may have an app of its own."""
    first: dict[str, str] = {}
    for draft in drafts:
        for host in draft.values.get("hosts", ()):
            if host in first:
                yield Problem(draft.places["hosts"], f"host {host} is taken", f"first in {first[host]}")
            first.setdefault(host, draft.places["hosts"])


def _covering(drafts: list[Draft], portal_host: str) -> Iterator[Problem]:
    """The portal's cookie opens every app, so no app may answer under the portal's name."""
    for draft in drafts:
        for host in draft.values.get("hosts", ()):
            if portal_host and addresses.covers(host, portal_host):
                what = f"host {host} covers the portal, {portal_host}"
                yield Problem(draft.places["hosts"], what, "name the app's hosts one by one, or move the portal")
