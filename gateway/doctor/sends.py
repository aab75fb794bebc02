"""What each check sends. Nothing where a page has nothing of the kind; a text where it cannot be sent, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway import dialects, probes
from gateway.doctor.looks import FORGED
from gateway.doctor.words import Patient, Sent, To

Headers = tuple[tuple[str, str], ...]
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
