"""Somebody's browser at the portal of a gateway: signs in by the form, and ends sessions from the account page."""

from __future__ import annotations

import re
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlencode

COOKIE = "__Host-gateway_portal"


class Browser:
    """One browser, with a connection that is kept. ``url`` is the portal's, which this machine need not resolve."""

    def __init__(self, port: int, url: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._url = url
        self._cookie = ""
        self._csrf = ""

    def close(self) -> None:
        """Forget the connection."""
        self._connection.close()

    def open_form(self) -> None:
        """The sign-in page."""
        answer, page = self._ask("GET", "/login")
        self._cookie, self._csrf = _cookies(answer)[0], _token(page)

    def sign_in(self, name: str, password: str) -> None:
        """By the form that is open; RuntimeError if that is refused."""
        fields = {"username": name, "password": password, "csrf": self._csrf, "return_token": ""}
        answer, _ = self._ask("POST", "/login", fields)
        made = [cookie for cookie in _cookies(answer) if cookie.startswith(f"{COOKIE}=")]
        if answer.status != 200 or not made:
            raise RuntimeError(f"a sign-in was answered with {answer.status}")
        self._cookie = made[0]

    def open_account(self) -> None:
        """The account page, with the buttons that end a session."""
        self._csrf = _token(self._ask("GET", "/account")[1])

    def end(self, session: int) -> None:
        """One of those buttons; RuntimeError if that is refused."""
        answer, _ = self._ask("POST", "/account/sessions/end", {"id": str(session), "csrf": self._csrf})
        if answer.status != 303 or answer.getheader("Location") != "/account":
            raise RuntimeError(f"the end of a session was answered with {answer.status}")

    def _ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[HTTPResponse, str]:
        headers = {"Host": self._url.removeprefix("https://"), "Cookie": self._cookie, "Origin": self._url}
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, urlencode(fields) if fields else None, headers)
        answer = self._connection.getresponse()
        return answer, answer.read().decode()


def _cookies(answer: HTTPResponse) -> list[str]:
    return [value.partition(";")[0] for value in answer.headers.get_all("Set-Cookie", [])]


def _token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    if found is None:
        raise RuntimeError("that page has no form")
    return found[1]
