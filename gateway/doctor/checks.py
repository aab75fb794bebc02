"""The checks, in the order in which they are made. Each says what holds where all is well, what is sent, which answers
are right, and what each wrong one means. What is neither cannot be told.

A check that needs others is not made where one of those failed: it could only repeat what they said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.doctor import changes, looks, sends
from gateway.doctor.answers import Kind
from gateway.doctor.words import Answers, Change, Found, Mistake, Patient, Sent

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
        sends.stranger,
        frozenset({Kind.TOLD}),
        AMISS
        | UNASKED
        | means("a program is sent to a page, which it takes for its answer", changes.REDIRECTS, Kind.SENT),
    ),
    Check(
        "person",
        "a person whom nobody knows is sent to the sign-in page",
        sends.person,
        frozenset({Kind.SENT}),
        AMISS | UNASKED | means("a person gets 401 and no way to sign in", changes.NAVIGATION, Kind.TOLD),
        looks.at_sign_in,
        ASKED,
    ),
    Check(
        "address",
        "the gateway is told the address that visitors see",
        sends.person_and_handshake,
        frozenset({Kind.SENT, Kind.TOLD, Kind.DENIED, Kind.FORBIDDEN}),
        {},
        looks.at_addresses,
        (*ASKED, "person"),
    ),
    Check(
        "failing",
        "nobody gets in while the gateway cannot answer",
        sends.probe,
        frozenset({Kind.UNAVAILABLE, Kind.BROKEN, Kind.FORBIDDEN}),
        means("the app answered although the gateway could not", changes.FAILING, Kind.APP),
        None,
        ASKED,
    ),
    Check(
        "cookie",
        "who signed in gets in",
        sends.with_cookie,
        OPENED,
        means("the visitor's cookie does not reach the gateway", changes.COOKIE, Kind.TOLD, Kind.SENT),
        None,
        ASKED,
    ),
    Check(
        "key",
        "who shows an API key gets in",
        sends.with_key,
        OPENED,
        means("the visitor's X-Api-Key does not reach the gateway", changes.API_KEY, Kind.TOLD, Kind.SENT),
        None,
        ASKED,
    ),
    Check(
        "identity",
        "the app is told who it is, as the gateway says",
        sends.with_key,
        OPENED,
        {},
        looks.at_identity,
        (*ASKED, "key"),
    ),
    Check(
        "forged",
        "nobody who got in can say that they are somebody else",
        sends.forging_with_key,
        OPENED | {Kind.MALFORMED},
        {},
        looks.at_forged,
        (*ASKED, "key"),
    ),
    Check(
        "forged-by-strangers",
        "no stranger on a public page can say that they are somebody",
        sends.forging,
        OPENED | {Kind.MALFORMED},
        means("a stranger has to sign in on a public page", changes.PATH, Kind.TOLD, Kind.SENT),
        looks.at_forged,
        ASKED,
    ),
    Check(
        "secret",
        "the app does not learn the proxy's secret",
        sends.with_key,
        OPENED,
        {},
        looks.at_secret,
        (*ASKED, "key"),
    ),
    Check(
        "cookie-at-app",
        "the app does not receive the gateway's cookie",
        sends.with_cookie,
        OPENED,
        {},
        looks.at_cookie,
        (*ASKED, "cookie"),
    ),
    Check(
        "reserved",
        "the paths under /.gateway/ reach the gateway",
        sends.reserved,
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
        sends.doors,
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
        sends.direct,
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
