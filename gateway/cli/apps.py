"""``gateway app`` and ``gateway policy``: the policy as the database has it, and why it answers as it does."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import click

from gateway import appsfile, appsview, clocks, target, values
from gateway.cli import Verbs
from gateway.cli.ground import Shell, audience, print_json, run, table, with_config, with_json
from gateway.errors import NotFound
from gateway.model import AccessRequest, Address, Allow, App, Challenge, Decision, Deny, Failed, Held, Rule
from gateway.policy import Step
from gateway.services import apply, explain
from gateway.services.explain import Explanation
from gateway.services.ground import Ground


class Line(NamedTuple):
    """An app in a list."""

    name: str
    title: str
    hosts: tuple[str, ...]
    rules: int


@click.group(cls=Verbs)
def app() -> None:
    """Apps, as the database has them."""


@app.command("list")
@with_json
@with_config
def list_(shell: Shell, as_json: bool) -> None:
    """Every app; as JSON with its rules."""
    apps = run(shell, apply.stored)
    if as_json:
        print_json([_plain(one) for one in apps])
    else:
        lines = [Line(one.name, one.title, one.hosts, len(one.rules)) for one in apps]
        table(lines, Line._fields, as_json=False)


@app.command()
@click.argument("name")
@with_json
@with_config
def show(shell: Shell, name: str, as_json: bool) -> None:
    """One app with its rules."""
    apps = {one.name: one for one in run(shell, apply.stored)}
    if name not in apps:
        raise NotFound(f"there is no app called {name} ({values.hint(name, apps)})" if apps else "there are no apps")
    if as_json:
        print_json(_plain(apps[name]))
        return
    for key, value in _plain(apps[name]).items():
        if key != "rules":
            click.echo(f"{key}: {', '.join(value) if isinstance(value, list) else value}")
    for number, rule in enumerate(apps[name].rules, 1):
        click.echo(f"rule {number}: {appsview.words(rule)}")
    click.echo("otherwise: nobody")


@click.group(cls=Verbs)
def policy() -> None:
    """The rules, walked."""


@policy.command("explain")
@click.argument("url")
@click.option("--user", "name", help="Who asks; without it, nobody who is known.")
@click.option("--method", default="GET", help="GET unless given.")
@click.option("--ip", "address", metavar="ADDRESS", help="The client's address.")
@with_json
@with_config
def explain_(shell: Shell, url: str, name: str | None, method: str, address: str | None, as_json: bool) -> None:
    """Why a request would be answered as it would: every rule on the way, and the decision."""
    request = _request(url, method, _address(address))
    portal = shell.settings.portal_host
    own = [App(appsfile.RESERVED, "Portal", (portal,), (Rule("bypass"),))] if portal else []

    async def work(ground: Ground) -> Explanation:
        return await explain.explain(ground, request, name, audience(shell.settings), own, clocks.boot())

    found = run(shell, work)
    if as_json:
        print_json(_data(request, name, found))
    else:
        _print(request, name, found)


def _plain(app: App) -> dict[str, object]:
    apps = appsview.render([app])["apps"]
    assert isinstance(apps, list)  # noqa: S101 - for mypy
    return dict(apps[0])


def _request(url: str, method: str, client: Address | None) -> AccessRequest:
    """What a proxy would ask about this URL. A usage error where a door would refuse to read it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise click.UsageError(f"{url} is not a URL") from None
    if not parts.netloc or parts.scheme not in ("http", "https"):
        raise click.UsageError(f"{url} is not a URL such as https://app.example.com/path")
    uri = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        scheme = target.scheme(parts.scheme.encode())
        host, authority = target.authority(parts.netloc.encode(), scheme)
        verb = target.method(method.upper().encode())
        sent, path = target.uri(uri.encode())
    except target.Unreadable as error:
        raise click.UsageError(f"such a request is malformed and is answered 400 ({error})") from None
    return AccessRequest(verb, scheme, host, authority, path.path, path.unclear, sent, client, {})


def _address(given: str | None) -> Address | None:
    try:
        return ip_address(given) if given is not None else None
    except ValueError:
        raise click.UsageError(f"--ip: {given} is not an address") from None


def _print(request: AccessRequest, name: str | None, found: Explanation) -> None:
    click.echo(
        f"{request.method} {request.scheme}://{request.authority}{request.path}, asked by {name or 'nobody known'}"
    )
    if found.nobody:
        click.echo(f"{name} counts as nobody: {found.nobody}")
    if found.app is not None:
        click.echo(f"app {found.app.name}")
        for step in found.steps:
            word, reason = _verdict(step)
            click.echo(f"  rule {step.rule.position} ({_rule(found.app, step)}): {word}{reason and f', {reason}'}")
    click.echo(_sentence(found.decision))


def _data(request: AccessRequest, name: str | None, found: Explanation) -> dict[str, object]:
    decision = found.decision
    return {
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "client": str(request.client) if request.client else None,
        "user": name,
        "app": found.app.name if found.app else None,
        "steps": [
            {"rule": step.rule.position, "effect": step.rule.effect, "verdict": word, "reason": reason}
            for step in found.steps
            for word, reason in [_verdict(step)]
        ],
        "decision": type(decision).__name__.lower(),
        "rule": decision.rule,
        "reason": found.nobody or getattr(decision, "reason", ""),
    }


def _rule(app: App, step: Step) -> str:
    return appsview.words(app.rules[step.rule.position - 1])


def _verdict(step: Step) -> tuple[str, str]:
    """How a rule's conditions came out, and why."""
    match step.holds:
        case Held():
            return "held", ""
        case Failed(reason):
            return "failed", reason
        case other:
            return type(other).__name__.lower(), other.reason


def _sentence(decision: Decision) -> str:
    match decision:
        case Allow(rule=rule):
            return f"allowed, by rule {rule}"
        case Challenge(rule=rule, reason=reason):
            return f"not yet, by rule {rule}: {reason}; a browser is sent to the sign-in page, a program gets 401"
        case Deny(rule=0, reason=reason):
            return f"denied: {reason}"
        case Deny(rule=rule, reason=reason):
            return f"denied, by rule {rule}: {reason}"
