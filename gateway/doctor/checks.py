"""The checks, in the order in which they are made. Each says what holds where all is well, what is sent, which answers
are right, and what each wrong one means. What is neither cannot be told.

A check that needs others is not made where one of those failed: it could only repeat what they said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway import dialects, probes
from gateway.doctor import changes, looks
from gateway.doctor.answers import Kind
from gateway.doctor.looks import FORGED
from gateway.doctor.words import Answers, Change, Found, Mistake, Patient, Sent, To

Headers = tuple[tuple[str, str], ...]
Sends = Callable[[Patient], "list[Sent] | str"]
"""What is sent; nothing where a page has nothing of the kind, or why it cannot be sent."""


class Check(NamedTuple):
    """One question to the running proxy, and how to read its answer."""

    name: str
    says: str
    sends: Sends
    right: frozenset[Kind]
    wrong: Mapping[Kind, Mistake]
    look: Callable[[Patient, Answers], Found] | None = None
    needs: tuple[str, ...] = ()


PROGRAM: Headers = (("Accept", "application/json"),)
PERSON: Headers = (("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"))
HANDSHAKE: Headers = (("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "as it is written": str,
    "in capitals": str.upper,
    "with underscores": lambda name: name.replace("-", "_"),
    "with dots": lambda name: name.replace("-", "."),
}


def stranger(patient: Patient) -> list[Sent]:
    """A program without anything to show."""
    return [Sent(patient.page.request.uri, PROGRAM)]


def person(patient: Patient) -> list[Sent]:
    """A browser's address bar."""
    return [Sent(patient.page.request.uri, PERSON)]


def person_and_handshake(patient: Patient) -> list[Sent]:
    """An address bar, and a page of the app that opens a WebSocket."""
    return [
        *person(patient),
        Sent(patient.page.request.uri, (*PROGRAM, *HANDSHAKE, ("Origin", patient.page.origin))),
    ]


def reserved(patient: Patient) -> list[Sent]:
    """What an app's host keeps for the gateway."""
    return [Sent("/.gateway/doctor", PROGRAM)]


def doors(patient: Patient) -> list[Sent]:
    """A visitor who asks the portal's host as only a proxy may."""
    return [Sent(dialect.PATH, _as_a_proxy(patient), To.PORTAL) for dialect in dialects.FAN]


def direct(patient: Patient) -> list[Sent]:
    """Somebody on this machine who asks the gateway as only a proxy may."""
    return [Sent("/auth/traefik", _as_a_proxy(patient), To.GATEWAY)]


def probe(patient: Patient) -> list[Sent]:
    """A stranger about whom the gateway cannot say anything."""
    token = probes.mint(patient.ring, patient.page.request.host, patient.wall)
    return [Sent(patient.page.request.uri, (*PROGRAM, ("Cookie", f"{probes.COOKIE.decode()}={token}")))]


def with_cookie(patient: Patient) -> list[Sent] | str:
    """Somebody who signed in."""
    if patient.visitor is None:
        return patient.nobody
    return [Sent(patient.page.request.uri, (*PROGRAM, ("Cookie", f"{patient.page.cookie}={patient.visitor.session}")))]


def with_key(patient: Patient) -> list[Sent] | str:
    """A program with a key."""
    if patient.visitor is None:
        return patient.nobody
    return [Sent(patient.page.request.uri, (*PROGRAM, ("X-Api-Key", patient.visitor.key)))]


def forging_with_key(patient: Patient) -> list[Sent] | str:
    """A program with a key that says who it is itself, in every spelling; and one that names the headers in Connection
    (CVE-2024-45410)."""
    if patient.visitor is None:
        return patient.nobody
    shown = (*PROGRAM, ("X-Api-Key", patient.visitor.key))
    nominated = (*shown, ("Connection", f"keep-alive, {', '.join(patient.page.names)}"))
    return [*_forged(patient, patient.page.request.uri, shown), Sent(patient.page.request.uri, nominated)]


def forging(patient: Patient) -> list[Sent]:
    """A stranger on a public page who says who it is."""
    return _forged(patient, patient.page.open_path, PROGRAM) if patient.page.open_path else []


def _forged(patient: Patient, path: str, shown: Headers) -> list[Sent]:
    """An honest request, and one that forges every name for each spelling."""
    forged = [tuple((spell(name), FORGED) for name in patient.page.names) for spell in SPELLINGS.values()]
    return [Sent(path, (*shown, *more)) for more in [(), *forged]]


def _as_a_proxy(patient: Patient) -> Headers:
    """Every family of headers at once, about the page, so that each door finds its own."""
    page = patient.page.request
    return (
        *PROGRAM,
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", page.scheme),
        ("X-Forwarded-Host", page.authority),
        ("X-Forwarded-Uri", page.uri),
        ("X-Original-Method", "GET"),
        ("X-Original-Url", f"{patient.page.origin}{page.uri}"),
    )


def means(text: str, change: Change, *kinds: Kind) -> dict[Kind, Mistake]:
    """One meaning for several kinds of answers."""
    return dict.fromkeys(kinds, Mistake(text, change))


UNASKED = means(
    "the app answered a stranger: the proxy does not ask the gateway about this page, or does not heed it",
    changes.ASK,
    Kind.APP,
)
AMISS = (
    means("the gateway does not take this proxy for a trusted one (G101)", changes.TRUST, Kind.UNTRUSTED)
    | means("the gateway cannot read the proxy's question (G103 and its like)", changes.QUESTION, Kind.MALFORMED)
    | means("the gateway refuses, instead of asking for a sign-in", changes.REFUSED, Kind.DENIED)
    | means(
        "refused without a reason: the gateway does not take this proxy for a trusted one, or cannot read its question",
        changes.UNSAID,
        Kind.FORBIDDEN,
    )
    | means("the proxy knows no such page", changes.ROUTE, Kind.NOWHERE)
    | means("the page comes from the gateway itself: the route goes past the app", changes.ROUTE, Kind.NO_DOOR)
    | means("the proxy gets no answer of the gateway that it can use", changes.REACH, Kind.BROKEN)
    | means("the gateway cannot answer now (G3xx)", changes.REACH, Kind.UNAVAILABLE)
)
"""What may be wrong with any question."""
ASKED = ("stranger",)
OPENED = frozenset({Kind.APP, Kind.NOWHERE, Kind.OTHER})
"""The app's own answers, its own no too: what it says once one is let in is its affair."""

CHECKS = (
    Check(
        "stranger",
        "a program that nobody knows is told to sign in (401)",
        stranger,
        frozenset({Kind.TOLD}),
        AMISS
        | UNASKED
        | means("a program is sent to a page, which it takes for its answer", changes.REDIRECTS, Kind.SENT),
    ),
    Check(
        "person",
        "a person whom nobody knows is sent to the sign-in page",
        person,
        frozenset({Kind.SENT}),
        AMISS | UNASKED | means("a person gets 401 and no way to sign in", changes.NAVIGATION, Kind.TOLD),
        looks.at_sign_in,
        ASKED,
    ),
    Check(
        "address",
        "the gateway is told the address that visitors see",
        person_and_handshake,
        frozenset({Kind.SENT, Kind.TOLD, Kind.DENIED, Kind.FORBIDDEN}),
        {},
        looks.at_addresses,
        (*ASKED, "person"),
    ),
    Check(
        "failing",
        "nobody gets in while the gateway cannot answer",
        probe,
        frozenset({Kind.UNAVAILABLE, Kind.BROKEN, Kind.FORBIDDEN}),
        means("the app answered although the gateway could not", changes.FAILING, Kind.APP),
        None,
        ASKED,
    ),
    Check(
        "cookie",
        "who signed in gets in",
        with_cookie,
        OPENED,
        means("the visitor's cookie does not reach the gateway", changes.COOKIE, Kind.TOLD, Kind.SENT),
        None,
        ASKED,
    ),
    Check(
        "key",
        "who shows an API key gets in",
        with_key,
        OPENED,
        means("the visitor's X-Api-Key does not reach the gateway", changes.API_KEY, Kind.TOLD, Kind.SENT),
        None,
        ASKED,
    ),
    Check(
        "identity",
        "the app is told who it is, as the gateway says",
        with_key,
        OPENED,
        {},
        looks.at_identity,
        (*ASKED, "key"),
    ),
    Check(
        "forged",
        "nobody who got in can say that they are somebody else",
        forging_with_key,
        OPENED | {Kind.MALFORMED},
        {},
        looks.at_forged,
        (*ASKED, "key"),
    ),
    Check(
        "forged-by-strangers",
        "no stranger on a public page can say that they are somebody",
        forging,
        OPENED | {Kind.MALFORMED},
        means("a stranger has to sign in on a public page", changes.PATH, Kind.TOLD, Kind.SENT),
        looks.at_forged,
        ASKED,
    ),
    Check(
        "secret",
        "the app does not learn the proxy's secret",
        with_key,
        OPENED,
        {},
        looks.at_secret,
        (*ASKED, "key"),
    ),
    Check(
        "cookie-at-app",
        "the app does not receive the gateway's cookie",
        with_cookie,
        OPENED,
        {},
        looks.at_cookie,
        (*ASKED, "cookie"),
    ),
    Check(
        "reserved",
        "the paths under /.gateway/ reach the gateway",
        reserved,
        frozenset({Kind.NO_DOOR}),
        means(
            "the paths under /.gateway/ of this host do not reach the gateway",
            changes.RESERVED,
            Kind.TOLD,
            Kind.SENT,
            Kind.APP,
            Kind.NOWHERE,
            Kind.FORBIDDEN,
            Kind.DENIED,
            Kind.OTHER,
        ),
    ),
    Check(
        "doors",
        "visitors cannot ask the gateway as the proxy does, on the portal's host",
        doors,
        frozenset({Kind.UNTRUSTED, Kind.FORBIDDEN, Kind.NOWHERE, Kind.NO_DOOR}),
        means(
            "a visitor can ask the gateway in the proxy's name, on the portal's host",
            changes.DOORS,
            Kind.TOLD,
            Kind.SENT,
            Kind.APP,
            Kind.DENIED,
            Kind.MALFORMED,
        ),
    ),
    Check(
        "direct",
        "nobody on this machine can ask the gateway as the proxy does",
        direct,
        frozenset({Kind.UNTRUSTED}),
        means(
            "the gateway believes whoever asks from this machine, past the proxy",
            changes.DIRECT,
            Kind.TOLD,
            Kind.SENT,
            Kind.APP,
            Kind.DENIED,
            Kind.MALFORMED,
        ),
    ),
)
