"""The in-process news: every signal is explained, carries what it says, and reaches the one gateway that it is for."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import pytest
from blinker import Signal

import serving
from gateway import signals

ALL = {name: signal for name, signal in vars(signals).items() if isinstance(signal, Signal)}
ALL |= {f"decided[{outcome}]": signal for outcome, signal in signals.decided.items()}


def test_every_signal_is_explained_with_what_it_carries() -> None:
    said = set(re.findall(r"``(\w+)(?:\[outcome\])?\([\w ]+; [\w, ]+\)``", signals.__doc__ or ""))
    assert said == {name.partition("[")[0] for name in ALL}
    assert set(signals.decided) == {"allow", "challenge", "deny", "malformed", "unavailable"}


def test_a_receiver_that_nobody_else_holds_still_hears() -> None:
    """As ``app`` connects them; blinker's default would let a bound method die."""
    heard: list[str] = []
    signals.deaf.connect(lambda sender, reason: heard.append(reason), sender="a test", weak=False)
    gc.collect()
    try:
        signals.deaf.send("a test", reason="the clock jumped")
    finally:
        signals.deaf._clear_state()
    assert heard == ["the clock jumped"]


def test_a_gateway_hears_its_own_ear_alone_and_nothing_once_it_has_stopped(database: str, tmp_path: Path) -> None:
    before = {name: set(signal.receivers) for name, signal in ALL.items()}
    with serving.serve(database, tmp_path) as served:
        gateway = served.gateway
        epoch = gateway.cache.epoch
        signals.changed.send("somebody else's ear", kind="*", key="*")
        assert gateway.cache.policy is not None
        assert gateway.cache.epoch == epoch
    assert {name: set(signal.receivers) for name, signal in ALL.items()} == before


@pytest.mark.parametrize("outcome", ["allow", "challenge"])
def test_nobody_listens_to_what_is_let_in_or_asked_to_sign_in(served: serving.Served, outcome: str) -> None:
    assert signals.decided["deny"].receivers
    assert not signals.decided[outcome].receivers
