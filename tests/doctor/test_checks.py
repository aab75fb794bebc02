"""The table of checks and the sentences about what to change: complete, and in an order that can be walked."""

from __future__ import annotations

import pytest

from gateway.doctor import changes
from gateway.doctor.answers import PROXIES, Kind
from gateway.doctor.checks import CHECKS
from gateway.doctor.sends import SPELLINGS
from gateway.doctor.words import Change

WRITTEN = {name: value for name, value in vars(changes).items() if isinstance(value, Change)}


def test_every_check_has_a_name_of_its_own_and_needs_only_what_comes_before() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    for place, check in enumerate(CHECKS):
        assert set(check.needs) <= set(names[:place])


def test_no_answer_is_right_and_wrong() -> None:
    for check in CHECKS:
        assert not check.right & set(check.wrong), check.name
        assert Kind.SILENT not in check.right | set(check.wrong), check.name


@pytest.mark.parametrize("name", WRITTEN)
def test_a_change_is_said_for_every_proxy_or_for_all_at_once(name: str) -> None:
    """REDIRECTS and their like name a setting wherever a proxy has one; what has none is under ``gateway``."""
    said = WRITTEN[name].by_proxy
    assert set(said) <= {"gateway", *PROXIES}
    assert "gateway" in said or set(said) == set(PROXIES)
    assert all(text.isprintable() and not text.endswith(".") for text in said.values())


def test_spellings_are_different_headers() -> None:
    assert len({spell("Remote-User") for spell in SPELLINGS.values()}) == len(SPELLINGS)
