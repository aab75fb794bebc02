"""What load generators print, as numbers, and what they are told to send."""

from __future__ import annotations

import re
import shutil

import pytest
import wrk

WRK = """Running 3s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   522.84us  166.45us   7.12ms   91.22%
    Req/Sec   117.56k     4.55k  123.83k    77.42%
  Latency Distribution
     50%  512.00us
     75%  601.00us
     90%  680.00us
     99%    1.04ms
  362551 requests in 3.10s, 68.12MB read{more}
Requests/sec: 116951.28
Transfer/sec:     21.97MB
"""
HEY = """
Summary:
  Total:	2.0023 secs
  Requests/sec:	31964.4821

Latency distribution:
  10% in 0.0009 secs
  50% in 0.0017 secs
  99% in 0.0081 secs

Status code distribution:
  [200]	63000 responses
  [403]	1002 responses

Error distribution:
  [2]	Get "http://127.0.0.1:8000/": EOF
"""
MESSAGE = b'GET /auth/traefik HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nCookie: a="b\\c"\r\nConnection: close\r\n\r\n'


def test_a_clean_run_of_wrk() -> None:
    assert wrk.parse_wrk(WRK.format(more="")) == pytest.approx((116951.28, 512e-6, 1.04e-3, 362551, 0, 0))


def test_wrk_says_what_was_refused_and_what_broke() -> None:
    more = "\n  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 77"
    found = wrk.parse_wrk(WRK.format(more=more))
    assert (found.answers, found.strange, found.broken) == (362551, 77, 10)


@pytest.mark.parametrize(
    ("said", "seconds"), [("12.50us", 12.5e-6), ("3.51ms", 3.51e-3), ("1.20s", 1.2), ("2.00m", 120)]
)
def test_wrk_writes_times_in_four_units(said: str, seconds: float) -> None:
    assert wrk.parse_wrk(WRK.format(more="").replace("1.04ms", said)).p99 == pytest.approx(seconds)


def test_a_run_of_hey_counts_by_status() -> None:
    assert wrk.parse_hey(HEY) == wrk.Outcome(31964.4821, 0.0017, 0.0081, 64002, 1002, 2)


@pytest.mark.parametrize("parse", [wrk.parse_wrk, wrk.parse_hey])
def test_what_is_no_result_is_refused(parse: object) -> None:
    with pytest.raises(ValueError, match="did not say"):
        parse("unable to connect to 127.0.0.1:8000 Connection refused")  # type: ignore[operator]


def test_wrk_is_given_the_very_bytes_of_every_message() -> None:
    script = wrk.lua([MESSAGE, b"\x00\xff\r\n"])
    written = re.findall(r'"((?:[^"\\]|\\\d{3})*)"', script)
    back = [re.sub(r"\\(\d{3})", lambda found: chr(int(found[1])), text).encode("latin-1") for text in written]
    assert back == [MESSAGE, b"\x00\xff\r\n"]


def test_hey_is_given_the_same_headers_and_told_to_close() -> None:
    command = wrk.hey_command(8000, wrk.Load([MESSAGE], 32, 2.0))
    assert command[-1] == "http://127.0.0.1:8000/auth/traefik"
    assert command[command.index("-host") + 1] == "127.0.0.1:8000"
    assert "-disable-keepalive" in command
    assert [command[place + 1] for place, word in enumerate(command) if word == "-H"] == ['Cookie: a="b\\c"']


def test_without_a_load_generator_a_run_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(LookupError, match="apt install wrk"):
        wrk.run(1, wrk.Load([MESSAGE]))
