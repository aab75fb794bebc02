"""``gateway doctor``: asks the running proxy for a protected page, and says what is wrong with its configuration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import click
import httpx2

from gateway import clocks
from gateway.cli.ground import Shell, actor, audience, print_json, run, say_silent, tell, with_config, with_json
from gateway.doctor import page
from gateway.doctor.examine import Examined, examine
from gateway.doctor.words import Answer, Ask, Finding, Patient, Sent, Silence, To, Verdict
from gateway.endpoints import listening
from gateway.errors import Refused
from gateway.model import AccessRequest
from gateway.services import visits
from gateway.services.ground import Ground, Silent
from gateway.settings import Settings
from gateway.storage.answers import Answers

PATIENCE = 10.0
TIMES = httpx2.Timeout(5.0, connect=3.0)
ENOUGH = 64 * 1024
"""Bytes of a page: what tells whose it is."""
COLOURS = {Verdict.OK: "green", Verdict.WRONG: "red", Verdict.UNKNOWN: "yellow", Verdict.REMARK: "cyan"}
WIDTH = 13


class Place(NamedTuple):
    """Where to connect, and as whom to speak to it; or why nobody can (``base`` is empty then)."""

    base: str
    authority: str = ""
    host: str = ""
    why: str = ""


@click.command()
@click.argument("url")
@click.option("--user", "name", help="Who signs in for this; the first whom the rules let in unless given.")
@click.option("--proxy", metavar="HOST:PORT", help="Where the proxy is, if the names in URL do not lead to it.")
@with_json
@with_config
def doctor(shell: Shell, url: str, name: str | None, proxy: str | None, as_json: bool) -> int:
    """Is the proxy right? Asks the running one for URL, a page of an app that wants a sign-in.

    It shows a session and a key of its own, which end with it. Exit 0 if nothing is wrong, 1 if something is.
    """
    if not shell.settings.portal_host:
        raise click.UsageError("server.portal_url is missing; run this with the gateway's own configuration")
    try:
        request = page.read(url)
        places = _places(request, shell.settings, proxy)
        examined, silent = run(
            shell, lambda ground: _examine(ground, shell.settings, request, places, name), taking=True
        )
    except Refused as error:
        raise click.UsageError(str(error)) from None
    say_silent(silent)
    if as_json:
        print_json(_data(url, examined))
    else:
        _print(examined)
    return 0 if examined.healthy else 1


async def _examine(
    ground: Ground, settings: Settings, request: AccessRequest, places: Mapping[To, Place], name: str | None
) -> tuple[Examined, Silent]:
    apps = (await Answers(ground.store).policy()).apps
    found = page.find(request, apps, settings, clocks.boot())
    async with _asking(places) as ask:
        if isinstance(answer := await ask(Sent(found.request.uri)), Silence):
            raise click.ClickException(f"nobody answers at {places[To.APP].base}: {answer.reason}")
        who = await visits.whom(ground, request, apps, audience(settings), clocks.boot(), name)
        if who is None:
            nobody = (
                f"the rules let {'nobody' if name is None else f'{name} not'} in there with one factor (--user NAME)"
            )
            return await examine(Patient(found, ground.ring(), ground.wall(), None, nobody), ask), ()
        tell(f"asking as {who}")
        visiting = visits.visiting(ground, actor(), who, found.app, found.template, audience(settings))
        async with visiting as visitor:
            examined = await examine(Patient(found, ground.ring(), ground.wall(), visitor), ask)
        return examined, visitor.silent


@asynccontextmanager
async def _asking(places: Mapping[To, Place]) -> AsyncIterator[Ask]:
    """A function that asks: no redirects, no proxy or password from the environment, certificates verified, and a bound
    to the time and size of every answer."""
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=TIMES) as client:

        async def ask(sent: Sent) -> Answer | Silence:
            client.cookies.clear()
            place = places[sent.to]
            try:
                async with asyncio.timeout(PATIENCE):
                    return await _ask(client, place, sent) if place.base else Silence(place.why)
            except TimeoutError:
                return Silence(f"no answer within {PATIENCE:g} seconds")
            except httpx2.HTTPError as error:
                return Silence(str(error) or type(error).__name__)

        yield ask


async def _ask(client: httpx2.AsyncClient, place: Place, sent: Sent) -> Answer:
    """The name that is meant stands in Host, and is what a certificate has to be for, wherever the connection goes."""
    headers = [("Host", place.authority), ("User-Agent", "gateway-doctor"), *sent.headers]
    named = {"sni_hostname": place.host}
    async with client.stream("GET", place.base + sent.path, headers=headers, extensions=named) as response:
        body = b""
        async for part in response.aiter_bytes():
            body += part
            if len(body) >= ENOUGH:
                break
        pairs = tuple((key.lower(), value) for key, value in response.headers.multi_items())
        return Answer(response.status_code, pairs, body[:ENOUGH])


def _places(request: AccessRequest, settings: Settings, proxy: str | None) -> Mapping[To, Place]:
    portal = urlsplit(settings.server.portal_url)
    return {
        To.APP: _behind_proxy(request.scheme, request.authority, proxy),
        To.PORTAL: _behind_proxy(portal.scheme, portal.netloc, proxy),
        To.GATEWAY: _gateway(settings.server.listen),
    }


def _behind_proxy(scheme: str, authority: str, proxy: str | None) -> Place:
    """Names under .localhost are this machine by themselves (RFC 6761), whatever a resolver says."""
    parts = urlsplit(f"//{authority}")
    host, port = parts.hostname or "", parts.port or (443 if scheme == "https" else 80)
    if proxy is not None:
        return Place(f"{scheme}://{_host_and_port(proxy)}", authority, host)
    here = host == "localhost" or host.endswith(".localhost")
    return Place(f"{scheme}://{f'127.0.0.1:{port}' if here else authority}", authority, host)


def _host_and_port(proxy: str) -> str:
    host, _, port = proxy.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.UsageError(f"--proxy: {proxy} is not an address such as 192.0.2.7:443")
    return proxy


def _gateway(listen: str) -> Place:
    host, port = listening.address(listen)
    if not port:
        return Place("", why=f"server.listen is {listen}: who may open it is not for this command to try")
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    at = listening.listen((reached, port))
    return Place(f"http://{at}", at, reached)


def _print(examined: Examined) -> None:
    for finding in examined.findings:
        word = click.style(finding.verdict.value.ljust(WIDTH), fg=COLOURS[finding.verdict])
        click.echo(word + _plain(_sentence(finding)))
        for proxy, change in _changes(finding, examined.proxy):
            click.echo(f"{' ' * WIDTH}{proxy}: {change}")


def _sentence(finding: Finding) -> str:
    match finding.verdict:
        case Verdict.OK:
            return finding.says
        case Verdict.UNKNOWN:
            return f"{finding.says}: {finding.means}"
        case _:
            return finding.means


def _changes(finding: Finding, proxy: str) -> list[tuple[str, str]]:
    """All of them, unless it is known which proxy it is; that one's own words come last."""
    known = proxy in finding.change
    said = [(name, text) for name, text in finding.change.items() if not known or name in ("gateway", proxy)]
    return [("change" if name == "gateway" else name, text) for name, text in said]


def _data(url: str, examined: Examined) -> dict[str, object]:
    checks = [{**finding._asdict(), "verdict": finding.verdict.value} for finding in examined.findings]
    return {"url": url, "healthy": examined.healthy, "proxy": examined.proxy, "checks": checks}


def _plain(text: str) -> str:
    """What a proxy said must not speak to the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
