"""What must hold of every question, whatever bytes it is made of. The fuzzer makes them up; the kept ones are a test.

A question as a file: the dialect's name and the request line, then one ``name: value`` a line. What a proxy would never
send is as welcome as what it sends.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from types import ModuleType

from gateway import target
from gateway.appsfile import read as read_apps
from gateway.cache import Bounds, Cache
from gateway.check import check
from gateway.dialects import FAN
from gateway.forwarded import Trust
from gateway.model import AccessRequest, Allow, Headers, Malformed, Missing, Question, Reply
from gateway.policy import compile_policy
from gateway.replies import Speech
from samples import MOMENT, NAMES, OFFSET, RING
from serving import APPS

DIALECTS: dict[bytes, ModuleType] = {member.PATH.strip("/").rpartition("/")[2].encode(): member for member in FAN}
TRUST = Trust(networks=(ip_network("127.0.0.1"),))
PORTAL = "https://auth.example.com"
SPEECH = Speech(
    PORTAL, (PORTAL + "/login?rd={}").format, lambda deny, *_: ("<p>no", "default-src 'none'"), lambda: "id-1"
)
CLEAN = re.compile(rb"[\x20-\x7e]*")
ANSWERS = {200, 302, 303, 400, 401, 403}


def memory() -> Cache:
    """The apps of the conformance cases, and nobody known."""
    apps = read_apps(APPS, "apps.yaml", portal_host="auth.example.com")
    cache = Cache(RING, Bounds())
    cache.heard(MOMENT.now, OFFSET)
    cache.put_policy(compile_policy(1, [(1, app) for app in apps]), cache.epoch)
    return cache


MEMORY = memory()


def judge(data: bytes) -> int:
    """Ask what ``data`` spells, and check everything that must hold; the status of the answer."""
    first, *lines = data.split(b"\n")
    words = [*first.split(b" "), b"", b"", b""][:3]
    dialect = DIALECTS.get(words[0], FAN[len(data) % len(FAN)])
    pairs = (line.partition(b": ") for line in lines)
    headers: Headers = [(name.lower(), value) for name, _, value in pairs]
    question = Question(words[1].decode("latin-1") or "GET", words[2] or dialect.PATH.encode(), headers, "127.0.0.1")
    reply = answer(dialect, question)
    assert reply.status in ANSWERS
    for name, value in reply.headers:
        assert CLEAN.fullmatch(name), name
        assert CLEAN.fullmatch(value), value
        assert name != b"location" or value.startswith(PORTAL.encode() + b"/login?rd=https://")
        assert name != b"remote-user" or value == b"", "nobody is known here"
    return reply.status


def answer(dialect: ModuleType, question: Question) -> Reply:
    """As the hot door answers."""
    request: AccessRequest | Malformed = dialect.read(question, TRUST)
    if isinstance(request, Malformed):
        reply: Reply = dialect.refuse(Reply(request.status, []))
        assert reply.status in (400, 403)
        return reply
    read_once(request)
    decision = check(request, MEMORY, NAMES, MOMENT)
    assert not isinstance(decision, Missing), "what has no valid MAC must not become a question to the database"
    if isinstance(decision, Allow):
        assert decision.identity is None
        open_to_strangers(request)
    written: Reply = dialect.write(decision, request, SPEECH)
    return written


def read_once(request: AccessRequest) -> None:
    """What was read is in its normal form: reading it again changes nothing."""
    assert target.authority(request.authority.encode(), request.scheme) == (request.host, request.authority)
    assert target.uri(request.uri.encode()) == (request.uri, (request.path, request.unclear))
    assert request.path.startswith("/")
    assert not set(re.split(r"[/;]", request.path)) & {".", ".."}


def open_to_strangers(request: AccessRequest) -> None:
    """The only places of these apps that nobody has to sign in for."""
    if request.host == "app.example.com":
        assert request.path == "/health" or request.path.startswith("/public/"), request.path
        assert not request.unclear
    else:
        assert request.host == "pub.example.com", request.host


def judge_all(data: bytes) -> None:
    """For the fuzzer, which wants no answer."""
    judge(data)
