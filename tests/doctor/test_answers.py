"""Whose answer it was, row by row."""

from __future__ import annotations

import json

import pytest

from gateway.doctor import answers
from gateway.doctor.answers import Kind
from gateway.doctor.words import Answer, Silence

SEEN = {"method": "GET", "path": "/", "headers": [["host", "app"]], "body_length": 0}


def problem(status: int, code: str, detail: str = "") -> Answer:
    body = json.dumps({"code": code, "detail": detail}).encode()
    return Answer(status, (("content-type", "application/problem+json"),), body)


def shown(status: int = 200) -> Answer:
    return Answer(status, (("content-type", "application/json"),), json.dumps(SEEN).encode())


def answer(status: int, **headers: str) -> Answer:
    return Answer(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), b"<p>")


@pytest.mark.parametrize(
    ("came", "kind"),
    [
        (problem(401, "G120"), Kind.TOLD),
        (answer(401, www_authenticate='Session realm="https://auth.example.com"'), Kind.TOLD),
        (answer(401, www_authenticate="Basic"), Kind.OTHER),
        (answer(302, location="https://auth.example.com/login?rd=gwr_abc"), Kind.SENT),
        (answer(302, location="/login"), Kind.APP),
        (problem(403, "G101"), Kind.UNTRUSTED),
        (problem(400, "G103"), Kind.MALFORMED),
        (problem(400, "G102"), Kind.MALFORMED),
        (problem(403, "G137"), Kind.DENIED),
        (problem(404, "G140"), Kind.NO_DOOR),
        (problem(503, "G310"), Kind.UNAVAILABLE),
        (problem(503, "G302"), Kind.UNAVAILABLE),
        (problem(500, "another's"), Kind.BROKEN),
        (answer(403), Kind.FORBIDDEN),
        (answer(404), Kind.NOWHERE),
        (answer(502), Kind.BROKEN),
        (answer(421), Kind.OTHER),
        (answer(200), Kind.APP),
        (shown(), Kind.APP),
        (shown(503), Kind.APP),  # Traefik's errors middleware serves a page under the status of the failure
        (answer(503, content_type="application/json"), Kind.BROKEN),
        (Answer(503, (("content-type", "application/problem+json"),), b"[]"), Kind.BROKEN),
        (Silence("refused"), Kind.SILENT),
    ],
)
def test_an_answer_is_known_by_who_says_it(came: Answer | Silence, kind: Kind) -> None:
    assert answers.kind(came) is kind


@pytest.mark.parametrize(
    ("came", "proxy"),
    [
        ([problem(503, "G310", "the doctor asked at the door of traefik")], "traefik"),
        ([answer(200, server="nginx/1.29"), answer(200)], "nginx"),
        ([answer(200, server="Caddy")], "caddy"),
        ([answer(200, server="uvicorn"), Silence("")], ""),
        ([problem(503, "G310", "the doctor asked at the door of somebody")], ""),
        ([], ""),
    ],
)
def test_the_proxy_is_known_by_its_door_or_its_name(came: list[Answer | Silence], proxy: str) -> None:
    assert answers.proxy(came) == proxy
