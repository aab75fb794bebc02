"""Reading the original request: one reading or none, whatever the bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import target, values
from gateway.target import Path, Unreadable

STEPS = "/.%;\\?#"
# fmt: off
PIECES = st.sampled_from(
    ["/", "//", ".", "..", "%2e", "%2E", "%252e", "%2f", "%5c", "\\", ";", "%3b", "?", "#", "%23", "%00", "%", "%zz",
     "public", "internal", "é", "%c3%a9", "%c0%ae", "%25", " ", "\t", "\r\n", "@evil.com", "http:"]
)
# fmt: on


@pytest.mark.parametrize("raw", [b"GET", b"POST", b"PROPFIND", b"VERSION-CONTROL", b"M-SEARCH", b"A" * 32])
def test_a_method_is_a_token_in_capitals(raw: bytes) -> None:
    assert target.method(raw) == raw.decode()


# fmt: off
NO_METHODS = [
    b"", b"get", b"GETz", b"G ET", b"GET\tX", b" GET", b"GET ", b"GET\n", b"GET,GET", b"-GET", b"GET-", b"G\xc9T",
    b"GET\x00", b"G_T", b"A" * 33,
]
# fmt: on


@pytest.mark.parametrize("raw", NO_METHODS)
def test_any_other_method_is_unreadable(raw: bytes) -> None:  # C013
    with pytest.raises(Unreadable, match=r"^method$"):
        target.method(raw)


@pytest.mark.parametrize(
    ("raw", "read"), [(b"http", "http"), (b"HTTPS", "https"), (b"ws", "http"), (b"wss", "https"), (b"Wss", "https")]
)
def test_a_scheme_is_http_or_https_whatever_a_websocket_calls_it(raw: bytes, read: str) -> None:
    assert target.scheme(raw) == read


@pytest.mark.parametrize("raw", [b"", b"https ", b"https,http", b"https, https", b"ftp", b"javascript", b"http\xf3"])
def test_any_other_scheme_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^scheme$"):
        target.scheme(raw)


@pytest.mark.parametrize(
    ("raw", "scheme", "host", "authority"),
    [
        (b"app.example.com", "https", "app.example.com", "app.example.com"),
        (b"APP.Example.COM", "https", "app.example.com", "app.example.com"),  # C084
        (b"app.example.com.", "https", "app.example.com", "app.example.com"),  # C087
        (b"app.example.com:443", "https", "app.example.com", "app.example.com"),  # C088
        (b"app.example.com.:443", "https", "app.example.com", "app.example.com"),
        (b"app.example.com:00443", "https", "app.example.com", "app.example.com"),
        (b"app.example.com:80", "https", "app.example.com", "app.example.com:80"),
        (b"app.example.com:443", "http", "app.example.com", "app.example.com:443"),
        (b"app.example.com:08443", "https", "app.example.com", "app.example.com:8443"),
        (b"192.0.2.7:8443", "https", "192.0.2.7", "192.0.2.7:8443"),
        (b"[2001:DB8::0:1]:443", "https", "[2001:db8::1]", "[2001:db8::1]"),
        (b"a_b.example.com", "http", "a_b.example.com", "a_b.example.com"),
    ],
)
def test_a_host_has_one_normal_form(raw: bytes, scheme: str, host: str, authority: str) -> None:
    assert target.authority(raw, scheme) == (host, authority)


# fmt: off
NO_HOSTS = [
    b"", b".", b"..", b"app.example.com..", b".example.com", b"app..example.com", b"app.example.com:", b":443",
    b"app.example.com:0", b"app.example.com:65536", b"app.example.com:443:443", b"app.example.com:-1",
    b"app.example.com/x", b"app.example.com?x", b"app.example.com#x", b"app.example.com/abc?bar=",  # C093
    b"app.example.com\x00", b"app.example.com\x7f", b"app.example.com\n", b"app\texample.com", b" app.example.com",
    b"app.example.com, pub.example.com", b"alice@app.example.com", b"app.example.com\\pub", b"app%2eexample.com",
    b"-app.example.com", b"app-.example.com", b"*.example.com", b"\xe4pp.example.com", b"[::1", b"[::1%25eth0]",
    b"[::g]", b"[127.0.0.1]", b"a" * 64 + b".example.com", b"a." * 130 + b"com", b"x" * 100_000,
]
# fmt: on


@pytest.mark.parametrize("raw", NO_HOSTS)
def test_a_host_that_is_no_host_is_unreadable(raw: bytes) -> None:  # C012, C097
    with pytest.raises(Unreadable, match=r"^(host|port)$"):
        target.authority(raw, "https")


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/public/x", "/public/x"),
        (b"/public/x/", "/public/x/"),
        (b"/%69nternal", "/internal"),  # C113
        (b"/caf%C3%A9", "/café"),
        (b"/a%20b", "/a b"),
        (b"/...", "/..."),
        (b"/.well-known/x..y", "/.well-known/x..y"),
        (b"/@evil.com", "/@evil.com"),
        (b"/100%25", "/100%"),
        (b"/a|b{c}", "/a|b{c}"),
        (b"/admin?x=/public/", "/admin"),  # C104
        (b"/x?y=/../&z=%zz;//", "/x"),
    ],
)
def test_rules_see_the_decoded_path_and_the_app_the_bytes_as_sent(raw: bytes, path: str) -> None:
    assert target.uri(raw) == (raw.decode(), Path(path, ""))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"//public/x", "empty segments"),  # C111
        (b"///public/x", "empty segments"),
        (b"/public//", "empty segments"),
        (b"/internal;x", "path parameters"),
        (b"/internal%3Bx", "path parameters"),
        (b"/public%2fx", "an encoded slash"),
        (b"/public%2Fx", "an encoded slash"),
        (b"/public/secret%23/ok", "an encoded delimiter"),  # C105
        (b"/public/secret%3F/ok", "an encoded delimiter"),
        (b"/%2569nternal", "a double encoding"),
        (b"/public/%25252e%25252e/x", "a double encoding"),
    ],
)
def test_a_path_with_two_readings_is_marked_and_kept_as_sent(raw: bytes, why: str) -> None:
    uri, path = target.uri(raw)
    assert (uri, path.unclear) == (raw.decode(), why)


# fmt: off
ATTACKS = [
    b"", b"public/x", b"*", b"@evil.com", b"http://evil.com/public/x", b"?x", b"%2fpublic",  # C117
    b"/public/../admin", b"/public/..", b"/./internal", b"/x/../internal", b"/.",  # C106, C112
    b"/public/%2e%2e/admin", b"/public/.%2e/admin", b"/public/%2E./admin", b"/public/..%2fadmin",  # C107
    b"/public/%252e%252e/admin", b"/public/..%252fadmin", b"/public/..%255cadmin", b"/public%2f..%2fadmin",
    b"/public/..;/admin", b"/public/..;x=y/admin", b"/public/..%3b/admin", b"/public/.;/admin",
    b"/public/..\\admin", b"/public\\admin", b"/public/..%5cadmin", b"/%5c%5cevil.com",
    b"/public/ /admin", b"/public/\t", b"/x%0d%0aSet-Cookie:%20a=b", b"/x\r\n", b"/x%00", b"/x\x00", b"/x%7f",  # C122
    b"/%", b"/%z", b"/%zz", b"/x%2", b"/\x01", b"/x#/ok", b"/public/secret#/ok", b"/x?y#z", b"/x?a b", b"/x?\x7f",  # C028
    b"/\xff", b"/x?\xff", b"/%ff", b"/%c0%ae%c0%ae/admin", b"/%e2%82",  # C243
]
# fmt: on


@pytest.mark.parametrize("raw", ATTACKS)
def test_what_only_an_attacker_writes_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^(path|query)") as caught:
        target.uri(raw)
    assert "evil" not in str(caught.value), "the message repeats what was sent"


@pytest.mark.parametrize("read", [target.method, target.scheme, target.uri, lambda raw: target.authority(raw, "https")])
@given(raw=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_raise_nothing_but_unreadable(read: Callable[[bytes], object], raw: bytes) -> None:
    with suppress(Unreadable):
        read(raw)


@given(pieces=st.lists(PIECES, max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_path_that_is_read_holds_no_step_out_of_it_even_decoded_again_and_without_parameters(
    pieces: list[str],
) -> None:
    raw = ("/" + "".join(pieces)).encode()
    try:
        _, path = target.uri(raw)
    except Unreadable:
        return
    for reading in (path.path, unquote(path.path), unquote(path.path).replace("\\", "/")):
        assert not {".", ".."} & {segment.partition(";")[0] for segment in reading.split("/")}
        assert not {".", ".."} & set(reading.split("/"))
    assert path.path.isprintable()
    assert "\\" not in path.path
    if not path.unclear:
        assert target.uri(quote(path.path, safe="/").encode())[1] == path


@given(written=st.text(st.characters(codec="utf-8") | st.sampled_from(STEPS), max_size=20))
@settings(max_examples=200, deadline=None)
def test_whatever_a_rule_may_name_is_a_path_that_a_request_can_have(written: str) -> None:
    try:
        path = values.path(f"/{written}")
    except ValueError:
        return
    assert target.uri(quote(path, safe="/").encode())[1] == Path(path, "")


@given(
    host=st.from_regex(r"[A-Za-z0-9_.-]{1,40}(:[0-9]{1,5})?", fullmatch=True), scheme=st.sampled_from(["http", "https"])
)
@settings(max_examples=200, deadline=None)
def test_normalising_a_host_twice_is_normalising_it_once(host: str, scheme: str) -> None:
    try:
        once = target.authority(host.encode(), scheme)
    except Unreadable:
        return
    assert target.authority(once[1].encode(), scheme) == once
