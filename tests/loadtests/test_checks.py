"""What the bench asks is answered as it expects, by a gateway with the configuration that is measured, but few sessions."""

from __future__ import annotations

from collections.abc import Iterator

import crowd
import pytest
import rounds
import servers
from crowd import Place
from measures import FAN, checks
from rounds import Ran
from servers import Server
from wrk import Outcome


@pytest.fixture(scope="module")
def ground() -> Iterator[tuple[Place, dict[str, Server]]]:
    with crowd.place(checks.IN_TURN, 2) as place, servers.gateway(place) as gateway:
        said = checks.answer_headers(gateway, place)
        with servers.bare(said) as bare:
            yield place, {checks.GATEWAY: gateway, checks.BARE: bare}


@pytest.mark.parametrize("manner", [checks.KEEP, checks.FRESH])
def test_every_question_is_answered_with_the_status_that_is_due(
    ground: tuple[Place, dict[str, Server]], manner: str
) -> None:
    place, running = ground
    cases = [
        case._replace(load=case.load._replace(messages=case.load.messages[:2]))
        for case in checks.rows(running, place, manner, 1)
    ]
    rounds.verify(cases)
    assert {case.status for case in cases} == {200, 302, 401, 403}


def test_a_question_that_is_answered_in_another_way_is_noticed(ground: tuple[Place, dict[str, Server]]) -> None:
    place, running = ground
    case = checks.rows(running, place, checks.KEEP, 1)[0]
    with pytest.raises(RuntimeError, match="answered with 200, where 403 is due"):
        rounds.verify([case._replace(status=403)])


def test_the_bare_server_says_the_headers_of_a_check(ground: tuple[Place, dict[str, Server]]) -> None:
    place, running = ground
    ours, theirs = (checks.answer_headers(running[name], place) for name in (checks.GATEWAY, checks.BARE))
    assert sorted(ours) == sorted(theirs)
    assert dict(ours)["remote-groups"] == "family,photos"


def test_the_fifty_apps_have_two_hundred_rules() -> None:
    assert crowd.policy(crowd.Site()).count("policy:") == 200


def test_every_bar_has_its_value_from_a_whole_run() -> None:
    ran = [Ran(Outcome(1000.0, 0.001, 0.002, 1000, 0, 0), 1.0)]
    names = ["session", "key", "deny", "challenge 401", "challenge 302", checks.BARE, checks.NGINX, checks.STOCK]
    results = {f"{name}, {manner}": ran for name in names for manner in (checks.KEEP, checks.FRESH)}
    assert all(bar.value == 1.0 for bar in FAN["checks"].judged(checks.values(results)))
    without = {name: runs for name, runs in results.items() if checks.NGINX not in name}
    assert sum(bar.value is None for bar in FAN["checks"].judged(checks.values(without))) == 2
