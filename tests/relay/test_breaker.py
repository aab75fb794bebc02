"""An app that cannot be reached is left alone, and tried again by one."""

from __future__ import annotations

from gateway.relay.breaker import MOST, REST, Breaker


def broken(now: float) -> Breaker:
    breaker = Breaker()
    for _ in range(MOST):
        assert not breaker.rests(now)
        breaker.failed(now)
    return breaker


def test_an_app_that_fails_now_and_then_is_asked() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(MOST - 1):
            breaker.failed(100.0)
        assert not breaker.rests(100.0)
        breaker.worked()


def test_an_app_that_only_fails_is_left_alone_for_a_while() -> None:
    breaker = broken(100.0)
    assert breaker.rests(100.0)
    assert breaker.rests(100.0 + REST * 0.99)
    assert not breaker.rests(100.0 + REST)


def test_behind_its_rest_one_tries_and_the_others_wait_for_that_one() -> None:
    breaker = broken(100.0)
    now = 100.0 + REST
    assert [breaker.rests(now) for _ in range(3)] == [False, True, True]


def test_one_that_tried_in_vain_lets_it_rest_again() -> None:
    breaker = broken(100.0)
    now = 100.0 + REST
    assert not breaker.rests(now)
    breaker.failed(now + 0.5)
    assert breaker.rests(now + 0.5 + REST * 0.99)
    assert not breaker.rests(now + 0.5 + REST)


def test_one_that_never_comes_back_from_trying_stops_nobody_for_ever() -> None:
    breaker = broken(100.0)
    assert not breaker.rests(100.0 + REST)
    assert not breaker.rests(100.0 + 2 * REST)


def test_an_app_that_works_again_is_asked_by_everybody() -> None:
    breaker = broken(100.0)
    assert not breaker.rests(100.0 + REST)
    breaker.worked()
    assert [breaker.rests(100.0 + REST) for _ in range(3)] == [False] * 3
    for _ in range(MOST - 1):
        breaker.failed(200.0)
    assert not breaker.rests(200.0)
