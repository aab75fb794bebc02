"""File servers behind the gateway, copyparty and Caddy: what they say of ranges and ages arrives as they say it."""

from __future__ import annotations

import hashlib
import http.client
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from apps import published
from apps.gateways import Gateway, gateway
from databases import Cluster

NUMBERS = b"".join(b"%07d\n" % number for number in range(1000))
LARGE = 100 * 1024 * 1024
PIECE = 1024 * 1024
OF_A_CONNECTION = ("date", "connection", "keep-alive", "via")
ASKED: dict[str, tuple[str, dict[str, str], dict[str, int]]] = {
    "whole": ("GET", {}, {"files": 200, "caddy": 200}),
    "head": ("HEAD", {}, {"files": 200, "caddy": 200}),
    "head of a range": ("HEAD", {"Range": "bytes=0-9"}, {"files": 206, "caddy": 206}),
    "first byte": ("GET", {"Range": "bytes=0-0"}, {"files": 206, "caddy": 206}),
    "middle": ("GET", {"Range": "bytes=1000-4999"}, {"files": 206, "caddy": 206}),
    "last five": ("GET", {"Range": "bytes=-5"}, {"files": 206, "caddy": 206}),
    "to the end": ("GET", {"Range": "bytes=7990-"}, {"files": 206, "caddy": 206}),
    "beyond": ("GET", {"Range": "bytes=9000-"}, {"files": 416, "caddy": 416}),
    "no range": ("GET", {"Range": "bytes=x"}, {"files": 416, "caddy": 416}),
    "several": ("GET", {"Range": "bytes=0-6,16-22,-8"}, {"files": 200, "caddy": 206}),
    "known by tag": ("GET", {"If-None-Match": "{etag}"}, {"caddy": 304}),
    "known by age": ("GET", {"If-Modified-Since": "{last-modified}"}, {"files": 304, "caddy": 304}),
    "head of what is known": ("HEAD", {"If-None-Match": "{etag}"}, {"caddy": 304}),
    "goes on by tag": ("GET", {"Range": "bytes=8-", "If-Range": "{etag}"}, {"caddy": 206}),
    "goes on by age": ("GET", {"Range": "bytes=8-", "If-Range": "{last-modified}"}, {"files": 206, "caddy": 206}),
    "is another now": ("GET", {"Range": "bytes=8-", "If-Range": '"another"'}, {"caddy": 200}),
    "has to be another": ("GET", {"If-Match": '"another"'}, {"caddy": 412}),
}
"""What is asked, and what each server answers to it; {this} is a header of its answer to "whole", where it has that."""


class Told(NamedTuple):
    """An answer, without what is new in each."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Stand(NamedTuple):
    """The gateway, the ports of both servers, and the folder that they serve."""

    gateway: Gateway
    ports: Mapping[str, int]
    folder: Path
    cookie: str

    def line(self, app: str, *, directly: bool = False) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.ports[app]) if directly else self.gateway.line()

    def headers(self, app: str) -> dict[str, str]:
        """What every request to ``app`` has."""
        return {"Host": f"{app}.gateway.localhost:{self.gateway.port}", "Cookie": self.cookie}

    def ask(self, app: str, method: str, headers: Mapping[str, str], *, directly: bool = False) -> Told:
        line = self.line(app, directly=directly)
        line.request(method, "/numbers.txt", headers=self.headers(app) | dict(headers))
        told = _told(line.getresponse())
        line.close()
        return told


@pytest.fixture(scope="module")
def stand(cluster: Cluster, directory: Path) -> Iterator[Stand]:
    folder = directory / "folder"
    folder.mkdir()
    (folder / "numbers.txt").write_bytes(NUMBERS)
    with published.copyparty(folder) as files, published.caddy(folder) as caddy, cluster.database() as url:
        ports = {"files": files, "caddy": caddy}
        with gateway(url, directory, ports) as started:
            yield Stand(started, ports, folder, started.cookie())


@pytest.mark.parametrize(("app", "asked"), [(app, asked) for asked in ASKED for app in ASKED[asked][2]])
def test_a_file_server_is_heard_as_it_speaks(stand: Stand, app: str, asked: str) -> None:
    method, wanted, statuses = ASKED[asked]
    whole = dict(stand.ask(app, "GET", {}, directly=True).headers)
    headers = {name: value.format_map(whole) for name, value in wanted.items()}
    through, directly = stand.ask(app, method, headers), stand.ask(app, method, headers, directly=True)
    assert through == directly
    assert through.status == statuses[app]


def test_a_range_is_the_part_of_the_file_that_it_names(stand: Stand) -> None:
    for app in ("files", "caddy"):
        assert stand.ask(app, "GET", {"Range": "bytes=1000-4999"}).body == NUMBERS[1000:5000]
    parts = stand.ask("caddy", "GET", {"Range": "bytes=0-6,16-22"}).body
    assert re.findall(rb"\r\n\r\n(.{7})\r\n", parts) == [b"0000000", b"0000002"]


def test_a_hundred_megabytes_go_up_and_come_down_unchanged(stand: Stand) -> None:
    content = hashlib.shake_128(b"a large file").digest(PIECE)
    digest = hashlib.sha256(content * (LARGE // PIECE)).hexdigest()
    line = stand.line("files")
    sent = (content for _ in range(LARGE // PIECE))
    line.request("PUT", "/large.bin", sent, stand.headers("files") | {"Content-Length": str(LARGE)})
    assert _told(line.getresponse()).status == 201
    line.close()
    with (stand.folder / "large.bin").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    for app in ("files", "caddy"):
        assert _downloaded(stand, app, "/large.bin") == (200, LARGE, digest)
    (stand.folder / "large.bin").unlink()


def test_many_at_once_get_each_their_own_part_whoever_hangs_up_in_between(stand: Stand) -> None:
    content = hashlib.shake_128(b"parts").digest(8 * PIECE)
    (stand.folder / "parts.bin").write_bytes(content)
    with ThreadPoolExecutor(16) as readers:
        wrong = readers.map(lambda number: _reads_parts(stand, content, number), range(32))
        assert list(wrong) == [[]] * 32


def _reads_parts(stand: Stand, content: bytes, number: int) -> list[tuple[int, int]]:
    """Thirty parts over one connection, but that it hangs up within every seventh; those that came wrong."""
    app, wrong = ("files", "caddy")[number % 2], []
    line = stand.line(app)
    for turn in range(30):
        start = (number * 7919 + turn * 104_729) % len(content)
        end = min(len(content), start + 1 + (number * turn * 997) % (PIECE // 2))
        line.request("GET", "/parts.bin", headers=stand.headers(app) | {"Range": f"bytes={start}-{end - 1}"})
        answer = line.getresponse()
        if turn % 7 == 6:
            answer.read(1000)
            line.close()
        elif answer.read() != content[start:end]:
            wrong.append((start, end))
    line.close()
    return wrong


def test_a_body_of_unknown_length_goes_up_too(stand: Stand) -> None:
    line = stand.line("files")
    line.request("PUT", "/chunked.txt", (NUMBERS[at : at + 100] for at in range(0, 8000, 100)), stand.headers("files"))
    assert _told(line.getresponse()).status == 201
    line.close()
    assert (stand.folder / "chunked.txt").read_bytes() == NUMBERS


def test_a_stranger_reads_and_writes_nothing(stand: Stand) -> None:
    for method, body in (("GET", None), ("PUT", b"mine")):
        line = stand.line("files")
        line.request(method, "/stranger.txt", body, {"Host": stand.headers("files")["Host"]})
        assert line.getresponse().status == 401
        line.close()
    assert not (stand.folder / "stranger.txt").exists()


def _told(answer: http.client.HTTPResponse) -> Told:
    body, kind = answer.read(), answer.getheader("content-type") or ""
    boundary = kind.partition("boundary=")[2]
    pairs = [(name.lower(), _lasting(value, boundary)) for name, value in answer.getheaders()]
    kept = sorted(pair for pair in pairs if pair[0] not in OF_A_CONNECTION)
    return Told(answer.status, kept, body.replace(boundary.encode(), b"") if boundary else body)


def _lasting(value: str, boundary: str) -> str:
    """A header's value without what was drawn by lot."""
    value = re.sub(r"'nonce-[^']+'", "'nonce'", value)
    return value.replace(boundary, "") if boundary else value


def _downloaded(stand: Stand, app: str, path: str) -> tuple[int, int, str]:
    """Status, size and digest of what came."""
    line, digest, size = stand.line(app), hashlib.sha256(), 0
    line.request("GET", path, headers=stand.headers(app))
    answer = line.getresponse()
    while piece := answer.read(PIECE):
        digest.update(piece)
        size += len(piece)
    line.close()
    return answer.status, size, digest.hexdigest()
