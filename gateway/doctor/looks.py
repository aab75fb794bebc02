"""What a check looks at in answers that came from where they should: addresses, and what the app received."""

from __future__ import annotations

from gateway import replies
from gateway.doctor import answers, changes, received
from gateway.doctor.answers import Kind
from gateway.doctor.received import Received
from gateway.doctor.words import Answer, Answers, Found, Mistake, Patient, Remark, Silence, Unclear
from gateway.endpoints import returns
from gateway.services.visits import Visitor

FORGED = "forged-by-the-doctor"
BLIND = Unclear(
    "the app does not show what it received; point this router at the demo app (python -m gateway.demo) and ask again"
)


def at_sign_in(patient: Patient, came: Answers) -> Found:
    """That the redirect goes to our portal, and was written by a gateway with our keys."""
    location = _first(came).first("location")
    if not location.startswith(f"{patient.page.portal}/login?"):
        where = location.partition("/login?")[0]
        return Mistake(f"the redirect goes to {where}, but the portal is {patient.page.portal}", changes.LOCATION)
    if _return_url(patient, came[0]) is None:
        return Mistake("that sign-in page would not accept where to come back to: other keys signed it", changes.KEYS)
    return None


def at_addresses(patient: Patient, came: Answers) -> Found:
    """That the return URL is the visitor's, and a WebSocket's Origin is that of the page. Where the portal is https the
    gateway says https whatever it was told, so only the second tells that the scheme is wrong."""
    told, handshake = _return_url(patient, came[0]), answers.kind(came[1])
    meant = replies.return_url(patient.page.request)
    if told is None:
        return Unclear("it does not say where to come back to")
    if _origin(told) != _origin(meant):
        return Mistake(f"the gateway is told {_origin(told)}, not {_origin(meant)}", changes.ADDRESS)
    if told != meant:
        return Mistake("the gateway is told another path than the visitor asked for", changes.PATH)
    if handshake in (Kind.DENIED, Kind.FORBIDDEN):
        return Mistake(
            f"its own WebSockets are refused: the gateway is told another scheme than {meant.partition(':')[0]},"
            " or another port",
            changes.ADDRESS,
        )
    return None


def at_identity(patient: Patient, came: Answers) -> Found:
    """That the app received what the gateway answers about the visitor."""
    seen = _received(came[0])
    if seen is None:
        return BLIND
    said = _expected(patient.visitor)
    wrong = [name for name in patient.page.names if "".join(_said(seen, name)) != said.get(name.lower(), "")]
    if wrong:
        return Mistake(f"the app did not receive the gateway's {', '.join(wrong)}", changes.IDENTITY)
    return None


def at_forged(patient: Patient, came: Answers) -> Found:
    """That nothing a visitor wrote arrived under these names. ``came``: an honest request's answer, then one for each
    way to forge."""
    honest, told = _received(came[0]), [seen for answer in came[1:] if (seen := _received(answer)) is not None]
    if honest is None:
        return BLIND
    forged = [name for name in patient.page.names if any(FORGED in " ".join(seen.spelled_like(name)) for seen in told)]
    if forged:
        who = "anybody can be anybody"
        return Mistake(f"the app receives {', '.join(forged)} as a visitor wrote it: {who}", changes.FORGED)
    changed = [name for name in patient.page.names if any(_said(seen, name) != _said(honest, name) for seen in told)]
    if changed:
        return Mistake(f"a visitor can take {', '.join(changed)} away or change it", changes.FORGED)
    return None


def at_secret(patient: Patient, came: Answers) -> Found:
    """That the app did not receive what proves the proxy."""
    seen = _received(came[0])
    if seen is None:
        return BLIND
    if any(seen.spelled_like("x-gateway-secret")):
        return Mistake("the app receives X-Gateway-Secret, so it could speak in the proxy's name", changes.SECRET)
    return None


def at_cookie(patient: Patient, came: Answers) -> Found:
    """Whether the app receives our cookie. No mistake: it opens apps, and not every proxy can take one cookie away."""
    seen = _received(came[0])
    if seen is None:
        return BLIND
    if patient.visitor is not None and patient.visitor.session in " ".join(seen.all("cookie")):
        return Remark(
            f"the app receives {patient.page.cookie} with its own cookies: whoever runs the app could use it at the"
            " other apps. Traefik cannot take it away; the files of the other proxies do"
        )
    return None


def _expected(visitor: Visitor | None) -> dict[str, str]:
    """What the gateway says of the visitor, by name in lower case."""
    said = [] if visitor is None else visitor.identity
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in said}


def _said(seen: Received, name: str) -> list[str]:
    """What an app would read under this name. An empty header and none are alike: Caddy leaves empty ones out."""
    return [value for value in seen.all(name) if value]


def _return_url(patient: Patient, answer: Answer | Silence) -> str | None:
    token = answers.return_token(answer) if isinstance(answer, Answer) else ""
    return returns.read(patient.ring, token, patient.wall)


def _origin(url: str) -> str:
    return "/".join(url.split("/")[:3])


def _received(answer: Answer | Silence) -> Received | None:
    return received.read(answer) if isinstance(answer, Answer) else None


def _first(came: Answers) -> Answer:
    return came[0] if isinstance(came[0], Answer) else Answer(0, ())
