"""No two spellings of one resource get different answers, but for a refusal: what proxies and apps take for the same
path, the gateway lets in alike or not at all."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import questions
from fuzz.questions import DIALECTS
from gateway.model import Question

SEGMENTS = st.lists(st.sampled_from(["public", "internal", "health", "secret", "a", "b.c", "~x", "..."]), max_size=4)
REFUSED = {400, 403}


def status(path: str, dialect: str = "traefik", host: str = "app.example.com") -> int:
    """What a stranger's browser is answered."""
    member = DIALECTS[dialect.encode()]
    head = [(b"accept", b"text/html"), (b"host", host.encode()), (b"x-forwarded-proto", b"https")]
    head += [(b"x-forwarded-method", b"GET"), (b"x-original-method", b"GET"), (b"x-forwarded-host", host.encode())]
    head += [(b"x-forwarded-uri", path.encode()), (b"x-original-url", f"https://{host}{path}".encode())]
    target = f"/auth/envoy{path}" if dialect == "envoy" else member.PATH
    return questions.answer(member, Question("GET", target.encode(), head, "127.0.0.1")).status


@st.composite
def spelled(draw: st.DrawFn) -> tuple[str, str]:
    """A path in its normal form, and another spelling of it, which some proxy or app folds into the same."""
    segments = draw(SEGMENTS)
    odd: list[str] = []
    for segment in segments:
        odd += draw(
            st.sampled_from([[], ["."], [""], ["x", ".."], ["%2e"], ["x", "%2E%2e"], ["x", ".%2e"], ["y", "..;z"]])
        )
        odd.append("".join(draw(st.sampled_from([one, f"%{ord(one):02x}", f"%{ord(one):02X}"])) for one in segment))
    end = draw(st.sampled_from(["", "/"]))
    return "/" + "/".join(segments) + end, "/" + "/".join(odd) + end


@given(spelled(), st.sampled_from(sorted(name.decode() for name in DIALECTS)))
@settings(max_examples=500, deadline=None)
def test_another_spelling_is_answered_alike_or_refused(pair: tuple[str, str], dialect: str) -> None:
    plain, odd = pair
    assert status(odd, dialect) in {status(plain, dialect)} | REFUSED


@given(spelled(), st.sampled_from(sorted(name.decode() for name in DIALECTS)))
@settings(max_examples=300, deadline=None)
def test_a_stranger_gets_in_by_no_spelling_of_what_is_closed(pair: tuple[str, str], dialect: str) -> None:
    plain, odd = pair
    if status(plain, dialect) != 200:
        assert status(odd, dialect) != 200


@given(SEGMENTS)
def test_every_door_answers_a_path_alike(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    answers = {name: status(path, name.decode()) for name in DIALECTS}
    answers[b"nginx"] = 302 if answers[b"nginx"] == 401 else answers[b"nginx"]  # it carries no redirect
    assert len(set(answers.values())) == 1, answers


@given(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="%?#\\;"), min_size=1, max_size=20)
)
def test_encoding_what_needs_no_encoding_changes_nothing(text: str) -> None:
    path = "/public/" + text
    assert status("/" + quote(path[1:], safe="/")) in {status(path)} | REFUSED


@given(st.sampled_from(["app.example.com", "APP.example.COM", "app.example.com.", "app.example.com:443"]), SEGMENTS)
def test_a_host_is_the_same_host_however_it_is_written(host: str, segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    assert status(path, host=host) == status(path)
