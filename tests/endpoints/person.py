"""A person with a browser, as far as the portal can see one: keeps cookies, reads forms, sends what browsers send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import urlencode

from asking import Answer, ask, request
from serving import COOKIE, PASSWORD, PORTAL_COOKIE, Served

HOST = "auth.example.com"
ORIGIN = f"https://{HOST}"
ATTEMPT = "__Host-gateway_attempt"
FORM = "application/x-www-form-urlencoded"


class Person:
    """``cookies`` are what this browser would send to the portal."""

    def __init__(self, served: Served) -> None:
        self.address = served.address
        self.cookies: dict[str, str] = {}

    def get(self, path: str, headers: Mapping[str, str | None] | None = None, method: str = "GET") -> Answer:
        sent = {"Host": HOST, "Accept": "text/html", "Cookie": self._cookie(), **(headers or {})}
        return self._ask(request(method, path, given(sent)))

    def post(
        self, path: str, fields: Mapping[str, str] | bytes, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        sent = {"Host": HOST, "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "Content-Type": FORM}
        sent |= {"Cookie": self._cookie(), "Content-Length": str(len(body)), **(headers or {})}
        return self._ask(request("POST", path, given(sent)) + body)

    def form(self, path: str = "/login") -> dict[str, str]:
        """The hidden fields of the page's first form."""
        return hidden(self.get(path))

    def sign_in(self, name: str, password: str = PASSWORD, path: str = "/login") -> Answer:
        return self.post("/login", {**self.form(path), "username": name, "password": password})

    def sign_out(self) -> Answer:
        return self.post("/logout", self.form("/account"))

    @property
    def app_cookie(self) -> str:
        """The Cookie header that this browser sends to apps."""
        return f"{COOKIE}={self.cookies[COOKIE]}"

    def _cookie(self) -> str | None:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None

    def _ask(self, data: bytes) -> Answer:
        answer = ask(self.address, data)
        for name, (value, attributes) in set_cookies(answer).items():
            if attributes["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer


def given(headers: Mapping[str, str | None]) -> dict[str, str]:
    """Without what was taken away."""
    return {name: value for name, value in headers.items() if value is not None}


def hidden(answer: Answer) -> dict[str, str]:
    """The hidden fields of a page."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.body.decode())
    return {name: unescape(value) for name, value in found}


def set_cookies(answer: Answer) -> dict[str, tuple[str, dict[str, str]]]:
    """Each cookie that an answer sets: its value, and its attributes in lower case."""
    made = {}
    for header in answer.all("set-cookie"):
        pair, *rest = header.split("; ")
        name, _, value = pair.partition("=")
        assert name not in made, "one cookie set twice"
        made[name] = (value, {key.lower(): said for key, _, said in (part.partition("=") for part in rest)})
    return made


__all__ = ["ATTEMPT", "COOKIE", "FORM", "HOST", "ORIGIN", "PORTAL_COOKIE", "Person", "given", "hidden", "set_cookies"]
