"""Judgement: apps and rules compiled once, then walked in order for every request.

First rule that holds wins, default deny. A rule about subjects, when nobody is known, stops the walk and challenges,
whatever its effect. ``explain`` shows rule by rule what ``decide`` does, and ``outlook`` with ``pick`` and ``conclude`` is
the same for many paths; tests hold them together. None of them does I/O, reads a clock or raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from gateway import addresses, conditions, headers
from gateway.model import (
    HELD,
    AccessRequest,
    Allow,
    App,
    Challenge,
    Credential,
    Decision,
    Deny,
    Failed,
    Headers,
    Holds,
    Identity,
    Level,
    Rule,
    Unclear,
    Unknown,
)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to be asked. ``position`` counts from 1, as people do; of its conditions some read the path and the
    others everything else; ``outage`` tells whether an allow of it may come from memory while the store is down."""

    position: int
    effect: str
    conditions: tuple[Any, ...]
    pathless: tuple[Any, ...]
    covers: tuple[Callable[[str], bool], ...]
    outage: bool


@dataclass(frozen=True, slots=True)
class CompiledApp:
    """An app ready to be asked. ``broken`` names the row that does not compile, and then it refuses everything; ``fault``
    says why, to whoever may read the rules. ``headerset`` names the template, under which rendered headers are kept.
    The last four are for whoever carries its bytes, and right for a broken app too: where it listens in normal form ("":
    it is not carried), what it may be upgraded to beside WebSockets, the names of its identity headers, all in lower case,
    and whether any of its rules looks at the method."""

    tenant: int
    name: str
    title: str
    rules: tuple[CompiledRule, ...]
    template: headers.Template
    nobody: Headers
    headerset: str
    preflight: bool
    origins: frozenset[bytes]
    broken: str = ""
    fault: str = ""
    upstream: str = ""
    upgrades: frozenset[bytes] = frozenset()
    identity_names: frozenset[bytes] = frozenset()
    names_methods: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """All apps by host, at one revision. The portal's own host is always allowed."""

    revision: int
    exact: Mapping[str, CompiledApp]
    wild: Mapping[str, CompiledApp]

    def app(self, host: str) -> CompiledApp | None:
        """The app that owns ``host``: the exact name, else the longest ``*.suffix`` (the suffix itself is not in it)."""
        found = self.exact.get(host)
        while found is None and self.wild and "." in host:
            host = host.partition(".")[2]
            found = self.wild.get(host)
        return found


class Step(NamedTuple):
    """One rule of the walk, and what became of it."""

    rule: CompiledRule
    holds: Holds


def compile_app(app: App, tenant: int) -> CompiledApp:
    """``app`` ready to be asked; one that does not compile refuses everybody and says which row is at fault."""
    rules: list[CompiledRule] = []
    template, (upstream, fault) = headers.STANDARD, _upstream(app.upstream)
    row = "upstream" if fault else ""
    try:
        for rule in app.rules:
            rules.append(_compile_rule(len(rules) + 1, rule))
        template += headers.template(app.headers)
    except ValueError as error:
        row = f"rule {len(rules) + 1}" if len(rules) < len(app.rules) else "headers"
        fault = str(error)
    return CompiledApp(
        tenant,
        app.name,
        app.title,
        tuple(rules),
        template,
        headers.render(template, None) or headers.ANSWER,
        repr(app.headers) if app.headers else "",
        app.preflight == "pass",
        frozenset(origin.encode() for origin in app.origins),
        f"{row} of {app.name}" if row else "",
        fault,
        upstream,
        frozenset(protocol.lower().encode() for protocol in app.upgrades),
        frozenset(name.lower().encode() for name, _ in (*headers.STANDARD, *app.headers)),
        app.preflight == "pass" or any(rule.methods for rule in app.rules),
    )


def portal_app(host: str) -> Policy:
    """The policy before any app is known: the portal's own host, open to everybody, and nothing else."""
    return compile_policy(0, [(0, App("portal", "Portal", (host,), (Rule("bypass"),)))])


def compile_policy(revision: int, apps: Iterable[tuple[int, App]]) -> Policy:
    """Every app of every tenant, by host. Hosts are unique by an index of the store."""
    exact: dict[str, CompiledApp] = {}
    wild: dict[str, CompiledApp] = {}
    for tenant, app in apps:
        compiled = compile_app(app, tenant)
        for host in app.hosts:
            table, name = (wild, host[2:]) if host.startswith("*.") else (exact, host)
            table[name] = compiled
    return Policy(revision, exact, wild)


class Open(NamedTuple):
    """A rule of which all has been looked at but the path, and what came of that."""

    covers: tuple[Callable[[str], bool], ...]
    rule: CompiledRule
    holds: Holds


class Outlook(NamedTuple):
    """What is left to ask of an app's rules for requests that differ in their path only. ``subject`` is the identity, if it
    reaches this app."""

    app: CompiledApp
    identity: Identity | None
    subject: Identity | None
    key: Credential | None
    rules: tuple[Open, ...]


def decide(
    app: CompiledApp, request: AccessRequest, identity: Identity | None, key: Credential | None, now: float
) -> Decision:
    """Allow, deny or challenge. An identity that does not reach this app is judged as nobody."""
    if app.broken:
        return _broken(app, identity)
    subject = identity if identity is not None and _reaches(identity, app, request) else None
    for rule in app.rules:
        holds = _held(rule.pathless, request, subject, now)
        if isinstance(holds, Failed):
            continue
        if rule.covers and request.unclear:
            return _unclear(app.name, rule.position, request.unclear, identity)
        if covered(rule.covers, request.path):
            return _decision(app, rule, holds, identity, subject, key)
    return _default(app, identity)


def outlook(
    app: CompiledApp, request: AccessRequest, identity: Identity | None, key: Credential | None, now: float
) -> Outlook:
    """The rules that may still decide a request like this one, whatever its path."""
    subject = identity if identity is not None and _reaches(identity, app, request) else None
    found: list[Open] = []
    for rule in () if app.broken else app.rules:
        holds = _held(rule.pathless, request, subject, now)
        if not isinstance(holds, Failed):
            found.append(Open(rule.covers, rule, holds))
            if not rule.covers:  # for every path: no rule behind it is asked
                break
    return Outlook(app, identity, subject, key, tuple(found))


def pick(rules: Iterable[Open], path: str) -> Open | None:
    """The rule that decides this path, which has one reading; None if no rule does."""
    for found in rules:
        for covers in found[0]:
            if not covers(path):
                break
        else:
            return found
    return None


def conclude(view: Outlook, found: Open | None) -> Decision:
    """What a rule that was picked means."""
    if found is None:
        return _broken(view.app, view.identity) if view.app.broken else _default(view.app, view.identity)
    return _decision(view.app, found.rule, found.holds, view.identity, view.subject, view.key)


def covered(covers: tuple[Callable[[str], bool], ...], path: str) -> bool:
    """Whether all of these conditions cover ``path``."""
    for covers_it in covers:  # noqa: SIM110 - a loop costs half of what all() and a generator cost
        if not covers_it(path):
            return False
    return True


def walk(app: CompiledApp, request: AccessRequest, identity: Identity | None, now: float) -> Iterator[Step]:
    """Each rule in order, with what became of it."""
    for rule in app.rules:
        yield Step(rule, _verdict(rule, request, identity, now))


def explain(
    app: CompiledApp, request: AccessRequest, identity: Identity | None, now: float
) -> tuple[list[Step], Decision]:
    """The steps of the walk up to the one that decided, and the decision; for those who may read the rules, so it says
    what is wrong with a broken one."""
    decision = decide(app, request, identity, None, now)
    if app.broken and isinstance(decision, Deny):
        return [], decision._replace(reason=f"{decision.reason}: {app.fault}")
    subject = identity if identity is not None and _reaches(identity, app, request) else None
    steps = list(walk(app, request, subject, now))
    return (steps[: decision.rule] if decision.rule else steps), decision


@lru_cache(20_000)
def _compile_rule(position: int, rule: Rule) -> CompiledRule:
    """Equal rules of many apps are one, which the processor's caches hold; and an apply compiles only what is new."""
    if rule.policy not in EFFECTS:
        raise ValueError(f"unknown policy {rule.policy!r}")
    written = [member for member in conditions.FAN if getattr(rule, member.KEY)]
    parsed = tuple(member.parse(_plain(getattr(rule, member.KEY))) for member in written)
    pathless = tuple(condition for condition in parsed if not condition.reads_path)
    covers = tuple(condition.covers for condition in parsed if condition.reads_path)
    return CompiledRule(position, rule.policy, parsed, pathless, covers, rule.outage and rule.policy != "two_factor")


@lru_cache(20_000)
def _upstream(written: str) -> tuple[str, str]:
    """Where an app listens, in normal form, and what is wrong with that; an apply reads only what is new."""
    try:
        return addresses.upstream(written) if written else "", ""
    except ValueError as error:
        return "", str(error)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _reaches(identity: Identity, app: CompiledApp, request: AccessRequest) -> bool:
    """Whether this identity counts here: of the app's tenant, within the session's domain and the key's apps."""
    if identity.tenant != app.tenant and app.tenant:
        return False
    if identity.audience and not f".{request.host}".endswith(f".{identity.audience}"):
        return False
    return identity.apps is None or app.name in identity.apps


def _key_elsewhere(identity: Identity | None, app: CompiledApp) -> bool:
    return identity is not None and identity.apps is not None and app.name not in identity.apps


def _verdict(rule: CompiledRule, request: AccessRequest, identity: Identity | None, now: float) -> Holds:
    """All of a rule's conditions, for whoever wants to know why."""
    if request.unclear and rule.covers:
        holds = _held(rule.pathless, request, identity, now)
        return holds if isinstance(holds, Failed) else Unclear(request.unclear)
    return _held(rule.conditions, request, identity, now)


def _held(asked: Iterable[Any], request: AccessRequest, identity: Identity | None, now: float) -> Holds:
    """All of these conditions: one that failed beats all others, whatever their order."""
    verdict: Holds = HELD
    for condition in asked:
        holds = condition.holds(request, identity, now)
        if isinstance(holds, Failed):
            return holds
        if verdict is HELD:
            verdict = holds
    return verdict


def _decision(
    app: CompiledApp,
    rule: CompiledRule,
    holds: Holds,
    identity: Identity | None,
    subject: Identity | None,
    key: Credential | None,
) -> Decision:
    """What a rule that holds, or that is about somebody who is not known yet, means."""
    if isinstance(holds, Unknown):
        decision: Decision = Challenge(app.name, rule.position, holds.reason)
    else:
        decision = EFFECTS[rule.effect](app, rule, subject, key)
    if isinstance(decision, Challenge) and _key_elsewhere(identity, app):
        return Deny(app.name, rule.position, "G136", "this key does not open this app", identity)
    return decision


def _broken(app: CompiledApp, identity: Identity | None) -> Deny:
    return Deny(app.name, 0, "G131", f"the policy of this app cannot be used, because of {app.broken}", identity)


def _unclear(app: str, rule: int, why: str, identity: Identity | None) -> Deny:
    return Deny(app, rule, "G132", f"the path can be read in two ways: {why}", identity)


def _default(app: CompiledApp, identity: Identity | None) -> Deny:
    return Deny(app.name, 0, "G130", "no rule lets this request in", identity)


def _bypass(app: CompiledApp, rule: CompiledRule, identity: Identity | None, key: Credential | None) -> Decision:
    return _allow(app, rule, identity, key)


def _deny(app: CompiledApp, rule: CompiledRule, identity: Identity | None, key: Credential | None) -> Decision:
    return Deny(app.name, rule.position, "G133", "a rule of this app refuses this request", identity)


def _one_factor(app: CompiledApp, rule: CompiledRule, identity: Identity | None, key: Credential | None) -> Decision:
    if identity is None:
        return Challenge(app.name, rule.position, "sign in")
    return _allow(app, rule, identity, key)


def _two_factor(app: CompiledApp, rule: CompiledRule, identity: Identity | None, key: Credential | None) -> Decision:
    if identity is None:
        return Challenge(app.name, rule.position, "sign in", Level.TWO_FACTOR)
    if identity.level >= Level.TWO_FACTOR:
        return _allow(app, rule, identity, key)
    if identity.second:
        return Challenge(app.name, rule.position, "show your second factor", Level.TWO_FACTOR)
    return Deny(app.name, rule.position, "G134", "this needs a second factor, and you have none set up", identity)


EFFECTS = {"bypass": _bypass, "deny": _deny, "one_factor": _one_factor, "two_factor": _two_factor}


def _allow(app: CompiledApp, rule: CompiledRule, identity: Identity | None, key: Credential | None) -> Decision:
    """The header block is rendered the first time this person meets this header set."""
    if identity is None:
        return Allow(app.name, rule.position, None, None, app.nobody)
    if app.headerset not in identity.blocks:
        identity.blocks[app.headerset] = headers.render(app.template, identity)
    block = identity.blocks[app.headerset]
    if block is None:
        return Deny(app.name, rule.position, "G135", "the identity headers do not fit into 4 KB", identity)
    return Allow(app.name, rule.position, identity, key, block)
