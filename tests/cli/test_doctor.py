"""``gateway doctor``, before real proxies: content with the shipped files, and each mistake that people make is found.

A broken proxy runs a copy of the shipped files in which texts are replaced; the row says which. All of them stand before
one gateway and one demo app.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from threading import Thread
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import httpx2
import pytest

from commands import Command, Said
from databases import Cluster
from gateway.settings import Trust
from processes import free_port
from proxies import FAN, caddy, envoy, haproxy, nginx, traefik
from proxies import stand as ground
from proxies.stand import CONFIG, SECRET, Stand, Wiring
from serving import serve

pytestmark = pytest.mark.skipif(bool(traefik.missing()), reason=traefik.missing())
ROUTER = '      rule: "Host(`demo.gateway.localhost`)"\n      middlewares: [gateway]'
RESERVED = """      rule: "Host(`demo.gateway.localhost`) && PathPrefix(`/.gateway/`)"
      priority: 1000
      middlewares: [gateway-vouch]
      service: gateway"""
LISTED = "authResponseHeaders: [Remote-User, Remote-Groups, Remote-Name, Remote-Email]"
CHAIN = "middlewares: [gateway-vouch, gateway-ask, gateway-forget]"
ERRORS = """
    gateway-errors:
      errors:
        status: ["500-599"]
        service: demo
        query: "/"
"""
ENVOY_HOST = "domains: [demo.gateway.localhost]"
HAPROXY_GATE = "unless portal or reserved or { var(txn.gateway_allows) -m bool }"
HAPROXY_ANSWERS = 'elseif told and told.headers and told.headers["x-request-id"] then'
CADDY_TRANSPORT = "\t\t\ttransport http {\n\t\t\t\tdial_timeout 3s"
CADDY_AWAY = "\t\t\t@away status 5xx\n\t\t\thandle_response @away {\n\t\t\t\treverse_proxy {args[0]}\n\t\t\t}\n"
NGINX_SAYS_AWAY = r'return 503 "Nobody can be let in at the moment. Please try again.\n";'
NGINX_PROGRAMS = 'if ($gateway_login = "") {\n        return 401;'


class Broken(NamedTuple):
    """A mistake: what stands in the shipped files and what somebody wrote instead; what is found, and a word of it."""

    mistake: str
    wrong: set[str]
    means: str
    change: str
    texts: Mapping[str, str] = MappingProxyType({})
    secret: str = SECRET
    proxy: ModuleType = traefik


MISTAKES = (
    Broken(
        "an identity header is neither replaced nor taken away",
        {"forged", "forged-by-strangers"},
        "Remote-Email as a visitor wrote it",
        "authResponseHeaders",
        {LISTED: LISTED.replace(", Remote-Email", ""), '          Remote-Email: ""\n': ""},
    ),
    Broken(
        "names with an underscore or a dot pass",
        {"forged", "forged-by-strangers"},
        "Remote-Email as a visitor wrote it",
        "aliasHeadersStrategy",
        {"aliasHeadersStrategy: delete": "aliasHeadersStrategy: keep"},
    ),
    Broken(
        "an identity header is not copied",
        {"identity"},
        "did not receive the gateway's Remote-Groups",
        "authResponseHeaders",
        {LISTED: LISTED.replace(", Remote-Groups", "")},
    ),
    Broken(
        "the cookie is not passed on",
        {"cookie"},
        "cookie does not reach the gateway",
        "authRequestHeaders",
        {LISTED: f"{LISTED}\n        authRequestHeaders: [Accept, X-Api-Key, X-Gateway-Secret, Sec-Fetch-Mode]"},
    ),
    Broken(
        "the key is not passed on",
        {"key"},
        "X-Api-Key does not reach the gateway",
        "authRequestHeaders",
        {LISTED: f"{LISTED}\n        authRequestHeaders: [Accept, Cookie, X-Gateway-Secret, Sec-Fetch-Mode]"},
    ),
    Broken(
        "what tells a navigation is not passed on",
        {"person"},
        "401 and no way to sign in",
        "authRequestHeaders",
        {LISTED: f"{LISTED}\n        authRequestHeaders: [Cookie, X-Api-Key, X-Gateway-Secret]"},
    ),
    Broken(
        "a failure of the gateway becomes the app's page",
        {"failing"},
        "although the gateway could not",
        "errors",
        {CHAIN: f"middlewares: [gateway-errors, {CHAIN.partition('[')[2]}{ERRORS}"},
    ),
    Broken(
        "the scheme is wrong",
        {"address"},
        "is told https://demo",
        "X-Forwarded-Proto",
        {
            "trustForwardHeader: false": "trustForwardHeader: true",
            '          Forwarded: ""': '          X-Forwarded-Proto: "https"',
        },
    ),
    Broken(
        "the path is changed before the gateway is asked",
        {"address", "forged-by-strangers"},
        "another path",
        "after `gateway`",
        {CHAIN: f"middlewares: [added, {CHAIN.partition('[')[2]}\n    added:\n      addPrefix:\n        prefix: /more\n"},
    ),
    Broken(
        "a router does not ask",
        {"stranger"},
        "the app answered a stranger",
        "middleware `gateway`",
        {ROUTER: ROUTER.replace("[gateway]", "[gateway-vouch]")},
    ),
    Broken("the secret is another", {"stranger"}, "G101", "GATEWAY_PROXY_SECRET", secret="another-secret-than-that"),
    Broken("there is no secret", {"stranger"}, "G101", "GATEWAY_PROXY_SECRET", secret=""),
    Broken(
        "it asks at another proxy's door", {"stranger"}, "refused without a reason", "/auth/traefik",
        {"}}/auth/traefik'": "}}/auth/nginx'"},
    ),
    Broken(
        "nobody is where it asks", {"stranger"}, "no answer of the gateway", "GATEWAY_URL",
        {'{{ env "GATEWAY_URL" | default "http://127.0.0.1:8000" }}/auth': "http://127.0.0.1:9/auth"},
    ),
    Broken(
        "/.gateway/ goes to the app",
        {"reserved"},
        "do not reach the gateway",
        "demo-reserved",
        {RESERVED: RESERVED.replace("/.gateway/", "/.elsewhere/")},
    ),
    Broken(
        "the doors can be reached on the portal's host",
        {"doors"},
        "in the proxy's name",
        "!PathPrefix",
        {" && !PathPrefix(`/auth/`)": ""},
    ),
    Broken(
        "the app learns the secret",
        {"secret"},
        "receives X-Gateway-Secret",
        "gateway-forget",
        {CHAIN: CHAIN.replace(", gateway-forget", "")},
    ),
    Broken(
        "Envoy lets in on a failure",
        {"failing"},
        "although the gateway could not",
        "failure_mode_allow: false",
        {"failure_mode_allow: false": "failure_mode_allow: true"},
        proxy=envoy,
    ),
    Broken(
        "Envoy sends no cookie",
        {"cookie"},
        "cookie does not reach the gateway",
        "`allowed_headers`",
        {"                          - {exact: cookie}\n": ""},
        proxy=envoy,
    ),
    Broken(
        "Envoy asks nobody about a host",
        {"stranger"},
        "the app answered a stranger",
        "disabled: true",
        {ENVOY_HOST: f"{ENVOY_HOST}\n                      typed_per_filter_config: *unasked"},
        proxy=envoy,
    ),
    Broken(
        "nginx serves the app where it has no answer",
        {"failing"},
        "although the gateway could not",
        "error_page 500",
        {
            NGINX_SAYS_AWAY: "proxy_pass http://demo-app;",
            "upstream gateway {": "upstream demo-app { server 127.0.0.1:8002; }\nupstream gateway {",
        },
        proxy=nginx,
    ),
    Broken(
        "nginx redirects programs",
        {"stranger"},
        "a program is sent to a page",
        "@gateway_sign_in",
        {NGINX_PROGRAMS: NGINX_PROGRAMS.replace("401", "302 http://auth.gateway.localhost/login?rd=gwr_x")},
        proxy=nginx,
    ),
    Broken(
        "nginx takes names with underscores",
        {"forged", "forged-by-strangers"},
        "Remote-Email as a visitor wrote it",
        "underscores_in_headers off",
        {"    server_tokens off;": "    server_tokens off;\n    underscores_in_headers on;"},
        proxy=nginx,
    ),
    Broken(
        "nginx says another scheme",
        {"address"},
        "is told https://demo",
        "X-Original-URL",
        {"default $scheme;": "default https;"},
        proxy=nginx,
    ),
    Broken("nginx knows another secret", {"stranger"}, "refused without a reason", "http.secret",
        secret="another-secret-than-that", proxy=nginx),
    Broken(
        "HAProxy goes on where nobody has said yes",
        {"failing"},
        "although the gateway could not",
        "return status 503",
        {HAPROXY_GATE: "if FALSE", HAPROXY_ANSWERS: f"{HAPROXY_ANSWERS.removesuffix(' then')} and told.status < 500 then"},
        proxy=haproxy,
    ),
    Broken(
        "Caddy copies one header less",
        {"identity"},
        "did not receive the gateway's Remote-Groups",
        "copy_headers",
        {"copy_headers Remote-User Remote-Groups": "copy_headers Remote-User"},
        proxy=caddy,
    ),
    Broken(
        "Caddy serves the app where the gateway fails",
        {"failing"},
        "although the gateway could not",
        "handle_response",
        {CADDY_TRANSPORT: f"{CADDY_AWAY}{CADDY_TRANSPORT}"},
        proxy=caddy,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def stand(cluster: Cluster) -> Iterator[Stand]:
    """The shipped files, a gateway and a demo app; alice has a name and groups to be told."""
    with ground.stand(traefik, cluster) as started:
        yield started


class Examined(NamedTuple):
    """What the doctor found, by the names of its checks."""

    said: Said
    checks: dict[str, dict[str, Any]]

    def named(self, verdict: str) -> set[str]:
        return {name for name, check in self.checks.items() if check["verdict"] == verdict}


Doctor = Callable[..., Examined]


@pytest.fixture
def doctor(stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Types ``gateway doctor URL --json`` for a page on ``port``."""
    environ = {
        "GATEWAY_CONFIG": str(tmp_path),
        "GATEWAY_DATABASE_URL": stand.served.url,
        "GATEWAY_SERVER_DATA_DIR": str(stand.wiring.directory),
        "GATEWAY_SERVER_PORTAL_URL": stand.portal,
        "GATEWAY_SERVER_LISTEN": stand.wiring.gateway,
    }
    command = Command(environ, tmp_path, capsys, lambda stream: monkeypatch.setattr("sys.stdin", stream))

    def type_it(*arguments: str, port: int = stand.wiring.port, host: str = "demo", **more: str) -> Examined:
        url = f"http://{host}.gateway.localhost:{port}/page?x=1"
        said = command("doctor", url, "--proxy", f"127.0.0.1:{port}", "--json", *arguments, environ=more)
        return Examined(said, {check["name"]: check for check in said.json["checks"]} if said.out else {})

    type_it.command = command  # type: ignore[attr-defined]
    return type_it


@contextmanager
def changed(stand: Stand, proxy: ModuleType, texts: Mapping[str, str], **other: Any) -> Iterator[int]:
    """A proxy with other files before the same app, and the same gateway unless ``other`` says; its port."""
    if why := proxy.missing():
        pytest.skip(why)
    directory = Path(tempfile.mkdtemp(prefix="gw-doctor-"))
    directory.chmod(0o755)
    wiring: Wiring = stand.wiring._replace(port=free_port(), directory=directory, **other)
    rewrite(shutil.copytree(CONFIG / "proxies" / proxy.NAME, directory / "config" / "proxies" / proxy.NAME), texts)
    try:
        with patch.object(ground, "CONFIG", directory / "config"), proxy.start(wiring):
            await_routers(wiring.port)
            yield wiring.port
    finally:
        shutil.rmtree(directory)


def rewrite(files: Path, texts: Mapping[str, str]) -> None:
    """Each text stands in exactly one of the files, else the row does not say what it means."""
    for old, new in texts.items():
        (file,) = [file for file in files.rglob("*") if file.is_file() and old in file.read_text()]
        file.write_text(file.read_text().replace(old, new))


def await_routers(port: int) -> None:
    """Traefik reads its routers after it has opened its port."""
    deadline = time.monotonic() + 30
    named = {"Host": f"auth.gateway.localhost:{port}"}
    while httpx2.get(f"http://127.0.0.1:{port}/login", headers=named, trust_env=False).status_code != 200:
        assert time.monotonic() < deadline, "the routers do not come up"
        time.sleep(0.02)  # nothing tells when it has read them


@pytest.mark.parametrize("proxy", FAN, ids=lambda proxy: proxy.NAME)
def test_the_shipped_files_are_right(stand: Stand, doctor: Doctor, proxy: ModuleType) -> None:
    with changed(stand, proxy, {}) as port:
        found = doctor(port=port)
    assert found.said.code == 0, found
    assert found.named("wrong") == found.named("cannot tell") == set(), found
    assert found.named("remark") == (set() if proxy.STRIPS else {"cookie-at-app"})


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: row.mistake.replace(" ", "-"))
def test_a_mistake_is_found(stand: Stand, doctor: Doctor, row: Broken) -> None:
    with changed(stand, row.proxy, row.texts, secret=row.secret) as port:
        found = doctor(port=port)
    assert found.named("wrong") == row.wrong, found
    assert found.said.code == 1
    first = next(check for check in found.checks.values() if check["verdict"] == "wrong")
    assert row.means in first["means"]
    assert row.change in first["change"][row.proxy.NAME]


def test_a_gateway_that_believes_this_machine_is_found(stand: Stand, doctor: Doctor, tmp_path: Path) -> None:
    believing = replace(stand.served.gateway.settings, trust=Trust(proxies=(ip_network("127.0.0.1"),)))
    with serve(stand.served.url, tmp_path, believing, apps=None) as other:
        at = f"127.0.0.1:{other.address[1]}"
        with changed(stand, traefik, {}, gateway=at, secret="") as port:
            found = doctor(port=port, GATEWAY_SERVER_LISTEN=at)
    assert found.named("wrong") == {"direct"}, found
    assert "trust.secret_file" in found.checks["direct"]["change"]["gateway"]


def test_what_the_doctor_showed_is_ended_and_stands_in_the_audit(stand: Stand, doctor: Doctor) -> None:
    found = doctor("--user", "bob")
    assert found.said.err == "gateway: asking as bob\n"
    command = doctor.command  # type: ignore[attr-defined]
    assert command.done("session", "list", "--user", "bob", "--json").json == []
    assert command.done("key", "list", "--user", "bob", "--json").json == []
    acts = [entry["action"] for entry in command.done("audit", "list", "--json").json[:4]]
    assert sorted(acts) == ["key.create", "key.revoke", "session.create", "session.revoke"]


def test_a_person_reads_a_line_for_each_check_and_what_to_change(stand: Stand, doctor: Doctor) -> None:
    command: Command = doctor.command  # type: ignore[attr-defined]
    with changed(stand, traefik, {RESERVED: RESERVED.replace("/.g", "/.other")}) as port:
        said = command("doctor", f"http://demo.gateway.localhost:{port}/", "--proxy", f"127.0.0.1:{port}")
    lines = said.out.splitlines()
    assert "ok           a program that nobody knows is told to sign in (401)" in lines
    place = lines.index("wrong        the paths under /.gateway/ of this host do not reach the gateway")
    assert [line.strip().partition(":")[0] for line in lines[place + 1 : place + 3]] == ["change", "traefik"]
    assert not [line for line in lines if "nginx" in line]  # it is known which proxy this is
    assert "\x1b" not in said.out


def test_an_app_that_shows_nothing_leaves_what_it_received_untold(stand: Stand, doctor: Doctor) -> None:
    with another_app() as at, changed(stand, traefik, {}, demo=at) as port:
        found = doctor(port=port)
    assert found.named("cannot tell") == {"identity", "forged", "forged-by-strangers", "secret", "cookie-at-app"}
    assert all("python -m gateway.demo" in found.checks[name]["means"] for name in found.named("cannot tell"))
    assert (found.said.code, found.named("wrong")) == (0, set())


@contextmanager
def another_app() -> Iterator[str]:
    """Somebody's app: it says hello, as host:port."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *unused: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_where_the_rules_let_nobody_in_what_needs_somebody_is_not_asked(stand: Stand, doctor: Doctor) -> None:
    found = doctor("--user", "bob", host="vault")
    assert found.said.code == 0
    assert found.named("cannot tell") >= {"cookie", "key", "identity", "forged"}
    assert "let bob not in" in found.checks["cookie"]["means"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("http://demo.gateway.localhost:1/",), "nobody answers at http://127.0.0.1:1"),
        (("https://demo.gateway.localhost:{port}/",), "nobody answers"),
        (("http://demo.gateway.localhost:{port}/public/",), "everybody may open /public/"),
        (("http://elsewhere.gateway.localhost:{port}/",), "no app here owns the host"),
        (("http://demo.gateway.localhost:{port}/", "--user", "nobody"), "no user called nobody"),
        (("http://demo.gateway.localhost:{port}/", "--proxy", "localhost"), "--proxy: localhost is not an address"),
        (("demo.gateway.localhost",), "not a URL such as"),
        (("http://demo.gateway.localhost/a/../b",), "malformed"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_2(
    stand: Stand, doctor: Doctor, arguments: tuple[str, ...], why: str
) -> None:
    command: Command = doctor.command  # type: ignore[attr-defined]
    said = command("doctor", *[argument.format(port=stand.wiring.port) for argument in arguments])
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), said
    assert why in said.err
