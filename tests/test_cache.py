"""Memory: what is kept, what is refused, what is forgotten, and how far it may be believed."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import count
from math import inf
from typing import Any

import pytest

from gateway.cache import ANY, RETAINED, Bounds, Cache, Entry, Origin, Trust
from gateway.model import Credential, Identity, Key
from gateway.policy import portal_app
from gateway.remembered import FEW
from samples import NOW, OFFSET, RING, WALL, person

ALICE = person("alice")
SHARED: tuple[Key, ...] = (("user", "7"), ("tenant", "1"), ("group", "3"))
MADE_FROM: frozenset[Key] = frozenset({("session", "11"), ("session", "10"), *SHARED})
_numbers = count()


def cache(**bounds: float) -> Cache:
    return Cache(RING, Bounds(**bounds))  # type: ignore[arg-type]


def some_credential(kind: str = "session") -> Credential:
    return Credential(kind, next(_numbers).to_bytes(32, "big"))


def known(row: int = 11, parent: int = 10, shared: tuple[Key, ...] = SHARED, **more: float) -> Entry:
    return Entry(Origin("session", ALICE, shared, more.pop("idle", inf)), row, parent, **more)


def refused(reason: str) -> Entry:
    return Entry(Origin("session", None, SHARED, reason=reason), 11, 10)


def nobody(kind: str = "session") -> Entry:
    return Entry(Origin(kind, None, ((kind, ANY),), reason="unknown"))


# Put -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "heard", [*sorted(MADE_FROM), *sorted((kind, ANY) for kind in {k for k, _ in MADE_FROM}), (ANY, ANY)]
)
def test_an_answer_read_before_something_it_was_made_from_changed_is_not_kept(heard: Key) -> None:
    memory, credential = cache(), some_credential()
    epoch = memory.epoch
    memory.forget(*heard)
    assert not memory.put(credential, known(), epoch)
    assert memory.get(credential) is None
    assert memory.put(credential, known(), memory.epoch)


@pytest.mark.parametrize(
    "heard", [("session", "12"), ("user", "77"), ("api_key", "11"), ("policy", "1"), ("group", "4")]
)
def test_an_answer_is_kept_although_something_else_changed(heard: Key) -> None:
    memory, credential = cache(), some_credential()
    epoch = memory.epoch
    memory.forget(*heard)
    assert memory.put(credential, known(), epoch)
    assert memory.get(credential) is not None


def test_an_answer_that_was_refused_leaves_what_was_known_before() -> None:
    memory, credential = cache(), some_credential()
    memory.put(credential, known(), memory.epoch)
    epoch = memory.epoch
    memory.forget("group", "3")
    assert not memory.put(credential, known(), epoch)
    assert memory.get(credential) is None


@pytest.mark.parametrize(("changes", "kept"), [(RETAINED, True), (RETAINED + 1, False)])
def test_an_answer_older_than_every_change_that_is_remembered_is_refused(changes: int, kept: bool) -> None:
    memory = cache()
    epoch = memory.epoch
    for number in range(changes):
        memory.forget("user", f"other {number}")
    assert memory.put(some_credential(), known(), epoch) is kept


def test_a_change_is_remembered_among_many_others() -> None:
    memory = cache()
    epoch = memory.epoch
    memory.forget("user", "7")
    for number in range(RETAINED - 1):
        memory.forget("user", f"other {number}")
    assert not memory.put(some_credential(), known(), epoch)


def test_forgetting_everything_closes_every_read_under_way() -> None:
    memory = cache()
    before = memory.epoch
    memory.forget("user", "77")
    during = memory.epoch
    memory.forget_all()
    assert not memory.put(some_credential(), known(), before)
    assert not memory.put(some_credential(), known(), during)
    assert not memory.put_policy(portal_app("auth.example.com"), during)
    assert memory.put(some_credential(), known(), memory.epoch)
    memory.forget("user", "77")
    assert not memory.put(some_credential(), known(), during)


@pytest.mark.parametrize(
    ("heard", "kept"), [(("policy", "1"), False), (("policy", ANY), False), ((ANY, ANY), False), (("user", "7"), True)]
)
def test_a_policy_read_before_a_policy_row_changed_is_not_swapped_in(heard: Key, kept: bool) -> None:
    memory = cache()
    epoch = memory.epoch
    memory.forget(*heard)
    assert memory.put_policy(portal_app("auth.example.com"), epoch) is kept
    assert (memory.policy is not None) is kept


# Forget --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted(MADE_FROM))
def test_whatever_it_was_made_from_makes_it_forgotten_and_leaves_others(key: Key) -> None:
    memory, touched, spared = cache(), some_credential(), some_credential()
    memory.put(touched, known(), memory.epoch)
    memory.put(spared, known(110000, 100000, tuple((kind, f"{number}0000") for kind, number in SHARED)), memory.epoch)
    memory.forget(*key)
    assert memory.get(touched) is None
    assert memory.get(spared) is not None


def test_all_of_a_kind_makes_everything_made_from_that_kind_forgotten() -> None:
    memory, session, key = cache(), some_credential(), some_credential("api_key")
    memory.put(session, known(), memory.epoch)
    memory.put(key, Entry(Origin("api_key", ALICE, (("user", "7"),)), 1), memory.epoch)
    memory.forget("session", ANY)
    assert memory.get(session) is None
    assert memory.get(key) is not None


@pytest.mark.parametrize("kind", ["group", "user", "session", "tenant"])
def test_who_is_found_by_several_rows_of_a_kind_is_forgotten_once(kind: str) -> None:
    memory = cache()
    for row in (11, 13):
        memory.put(some_credential(), known(row, 10, (*SHARED, ("group", "4"), ("session", "9"))), memory.epoch)
    memory.put(some_credential(), nobody(), memory.epoch)
    memory.forget(kind, ANY)
    state = memory.state(NOW)
    assert (state["identities"], state["negatives"]) == (0, int(kind != "session"))


def test_a_policy_change_forgets_the_policy_and_nobody() -> None:
    memory, credential = cache(), some_credential()
    memory.put(credential, known(), memory.epoch)
    memory.put_policy(portal_app("auth.example.com"), memory.epoch)
    memory.forget("policy", "1")
    assert memory.policy is None
    assert memory.get(credential) is not None


def test_forgetting_everything_leaves_nothing() -> None:
    memory = cache()
    memory.put(some_credential(), known(), memory.epoch)
    memory.put(some_credential(), nobody(), memory.epoch)
    memory.put_policy(portal_app("auth.example.com"), memory.epoch)
    memory.forget_all()
    state = memory.state(NOW)
    assert (state["identities"], state["negatives"], state["policy"]) == (0, 0, -1)


def test_the_index_shrinks_with_what_it_points_to() -> None:
    memory = cache(identities=3)
    for number in range(50):
        memory.put(some_credential(), known(2 * number + 1, 2 * number, (("user", str(number)),)), memory.epoch)
    assert len(memory._index) == 9
    assert len(memory._origins) == 3
    memory.forget("user", ANY)
    assert (len(memory._index), len(memory._origins), memory.state(NOW)["identities"]) == (0, 0, 0)


# What is kept once ----------------------------------------------------------------------------------------------------


def kept(memory: Cache, entry: Entry) -> Entry:
    credential = Credential(entry.kind, next(_numbers).to_bytes(32, "big"))
    assert memory.put(credential, entry, memory.epoch)
    found = memory.get(credential)
    assert found is not None
    return found


def test_sessions_of_one_person_share_the_identity_and_the_headers_rendered_for_it() -> None:
    memory = cache()
    first, second = (kept(memory, Entry(Origin("session", person("alice"), SHARED), row)) for row in (11, 12))
    assert first.identity is second.identity


SAID = {"kind": "session", "identity": ALICE, "rows": SHARED, "idle": 100.0, "reason": ""}


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "portal"},
        {"rows": (*SHARED, ("group", "4"))},
        {"rows": SHARED[:-1]},
        {"idle": 200.0},
        {"identity": None},
        {"identity": None, "reason": "disabled"},
        *({"identity": replace(ALICE, **more)} for more in (
            {"tenant": 2}, {"user_id": 8}, {"name": "bob"}, {"display": "A"}, {"email": "a@example.com"}, {"level": 2},
            {"groups": frozenset()}, {"second": True}, {"apps": frozenset({"a"})}, {"audience": "example.com"},
        )),
    ],
)  # fmt: skip
def test_nothing_is_shared_where_anything_differs(other: dict[str, Any]) -> None:
    memory, first, second = cache(), Origin(**SAID), Origin(**SAID | other)
    entries = [kept(memory, Entry(origin, row)) for origin, row in ((first, 11), (second, 12))]
    assert [entry.origin for entry in entries] == [first, second]
    assert [entry.identity for entry in entries] == [first.identity, second.identity]
    assert entries[0].origin is not entries[1].origin


def test_every_field_of_an_identity_is_tried_above() -> None:
    compared = {field.name for field in fields(Identity) if field.compare}
    assert compared == {
        "tenant",
        "user_id",
        "name",
        "display",
        "email",
        "level",
        "groups",
        "second",
        "apps",
        "audience",
    }


def test_one_of_many_sessions_is_forgotten_alone_and_all_of_them_with_the_person() -> None:
    memory, credentials = cache(), [some_credential() for _ in range(3 * FEW)]
    for number, credential in enumerate(credentials):
        memory.put(credential, known(100 + number, 10), memory.epoch)
    memory.forget("session", "105")
    assert [memory.get(credential) is None for credential in credentials] == [n == 5 for n in range(3 * FEW)]
    memory.forget("session", "10")
    assert memory.state(NOW)["identities"] == len(memory._index) == len(memory._origins) == 0


def test_an_origin_that_another_memory_holds_is_found_in_this_one_too() -> None:
    entry, one, other = known(), cache(), cache()
    for memory in (one, other):
        kept(memory, entry)
        memory.forget("group", "3")
        assert memory.state(NOW)["identities"] == 0
    kept(one, entry)
    one.forget_all()
    kept(one, entry)
    one.forget("user", "7")
    assert one.state(NOW)["identities"] == 0


def test_a_digest_answers_for_the_kind_of_credential_that_it_was_kept_for() -> None:
    memory, credential = cache(), some_credential("portal")
    memory.put(credential, Entry(Origin("portal", ALICE, SHARED), 11), memory.epoch)
    assert memory.get(Credential("session", credential.digest)) is None
    memory.put(Credential("session", credential.digest), nobody(), memory.epoch)
    assert memory.get(credential) is None


@pytest.mark.parametrize("row", ["", "x", "-1", "\u0663", "9" * 5000, "1.0", " 1"])
def test_what_is_no_number_of_a_row_may_be_announced(row: str) -> None:
    memory = cache()
    memory.put(some_credential(), known(1, 3), memory.epoch)
    memory.forget("session", row)
    assert memory.state(NOW)["identities"] == 1


# Negatives and bounds ------------------------------------------------------------------------------------------------


def test_a_token_without_a_row_is_dead_whatever_happens_to_other_rows() -> None:
    memory, dead = cache(), some_credential()
    epoch = memory.epoch
    memory.forget("session", "11")
    assert memory.put(dead, nobody(), epoch)
    memory.forget("session", "12")
    memory.forget("user", ANY)
    assert memory.get(dead) is not None


def test_a_token_without_a_row_may_live_again_when_all_of_its_kind_changed() -> None:
    memory, dead, key = cache(), some_credential(), some_credential("api_key")
    memory.put(dead, nobody(), memory.epoch)
    memory.put(key, nobody("api_key"), memory.epoch)
    memory.forget("session", ANY)
    assert memory.get(dead) is None
    assert memory.get(key) is not None


def test_somebody_refused_because_of_the_user_is_asked_about_again_when_the_user_changes() -> None:
    memory, credential = cache(), some_credential()
    memory.put(credential, refused("disabled"), memory.epoch)
    memory.forget("user", "7")
    assert memory.get(credential) is None


def test_dead_tokens_have_a_small_table_of_their_own_and_push_nobody_out() -> None:
    memory, alice = cache(identities=2, negatives=5), some_credential()
    memory.put(alice, known(), memory.epoch)
    for _ in range(1000):
        memory.put(some_credential(), nobody(), memory.epoch)
    assert memory.state(NOW)["negatives"] == 5
    assert memory.get(alice) is not None


def test_identities_are_bounded_and_the_oldest_leaves_first() -> None:
    memory, credentials = cache(identities=3), [some_credential() for _ in range(5)]
    for credential in credentials:
        memory.put(credential, known(), memory.epoch)
    assert [memory.get(credential) is not None for credential in credentials] == [False, False, True, True, True]


def test_who_turns_out_to_be_nobody_changes_tables() -> None:
    memory, credential = cache(), some_credential()
    memory.put(credential, known(), memory.epoch)
    memory.put(credential, refused("ended"), memory.epoch)
    entry = memory.get(credential)
    assert entry is not None
    assert entry.identity is None
    assert memory.state(NOW)["identities"] == 0


# Trust: rows of the table of outages ---------------------------------------------------------------------------------

BOUNDS = {"grace": 5.0, "outage": 60.0, "verdict": 3.0, "jump": 2.0}


@pytest.mark.parametrize(
    ("age", "silent", "jump", "believed"),
    [
        # age of the last heartbeat that came back; how long ago the store was found silent (None: it answers); how far
        # wall clock and boot clock parted since; how far memory is believed
        (0.0, None, 0.0, Trust.MEMORY),
        (0.0, 0.0, 0.0, Trust.MEMORY),
        (5.0, None, 0.0, Trust.MEMORY),
        (5.0, 0.0, 0.0, Trust.MEMORY),
        (5.1, None, 0.0, Trust.ASK),
        (5.1, 0.0, 0.0, Trust.OUTAGE),
        (60.0, 2.9, 0.0, Trust.OUTAGE),
        (60.0, 3.1, 0.0, Trust.ASK),
        (60.1, 0.0, 0.0, Trust.ASK),
        (1e6, 0.0, 0.0, Trust.ASK),
        (0.0, None, 1.9, Trust.MEMORY),
        (0.0, None, -1.9, Trust.MEMORY),
        (0.0, None, 2.1, Trust.ASK),
        (0.0, None, -2.1, Trust.ASK),
        (30.0, 0.0, 2.1, Trust.ASK),
        (30.0, 0.0, 86400.0, Trust.ASK),
    ],
)
def test_memory_is_believed(age: float, silent: float | None, jump: float, believed: Trust) -> None:
    memory = cache(**BOUNDS)
    memory.heard(NOW - age, OFFSET)
    if silent is not None:
        memory.silent(NOW - silent)
    assert memory.trust(NOW, WALL + jump) is believed


def test_memory_that_never_heard_a_heartbeat_is_never_believed() -> None:
    memory = cache(**BOUNDS)
    memory.silent(NOW)
    assert memory.trust(NOW, NOW) is Trust.ASK


def test_after_a_suspend_memory_is_not_believed_because_the_boot_clock_went_on() -> None:
    memory = cache(**BOUNDS)
    memory.heard(NOW, OFFSET)
    assert memory.trust(NOW + 3600, WALL + 3600) is Trust.ASK


def test_the_worst_outage_is_counted_from_the_heartbeat_not_from_the_end_of_the_grace() -> None:
    memory = cache(**BOUNDS)
    memory.heard(NOW, OFFSET)
    for later, believed in ((5, Trust.MEMORY), (59, Trust.OUTAGE), (60, Trust.OUTAGE), (61, Trust.ASK)):
        memory.silent(NOW + later)
        assert memory.trust(NOW + later, WALL + later) is believed


def test_the_lease_is_extended_by_heartbeats_alone() -> None:
    memory, credential = cache(**BOUNDS), some_credential()
    memory.heard(NOW, OFFSET)
    memory.put(credential, known(), memory.epoch)
    memory.put_policy(portal_app("auth.example.com"), memory.epoch)
    memory.forget("user", "1")
    memory.forget_all()
    memory.answering()
    memory.get(credential)
    assert memory.state(NOW + 10)["lease_age"] == 10


def test_a_heartbeat_that_comes_back_late_does_not_shorten_the_lease() -> None:
    memory = cache(**BOUNDS)
    memory.heard(NOW, OFFSET)
    memory.heard(NOW - 3, OFFSET)
    assert memory.state(NOW)["lease_age"] == 0


def test_the_verdict_that_the_store_is_silent_ages_and_is_taken_back_by_any_answer() -> None:
    memory = cache(**BOUNDS)
    memory.silent(NOW)
    assert memory.store_is_silent(NOW + 3)
    assert not memory.store_is_silent(NOW + 3.1)
    memory.silent(NOW)
    memory.answering()
    assert not memory.store_is_silent(NOW)


# Uses ----------------------------------------------------------------------------------------------------------------


def test_taking_the_uses_moves_idle_deadlines_forward_and_never_back() -> None:
    memory, credential, other = cache(), some_credential(), some_credential()
    memory.put(credential, known(idle=100, idle_ends=NOW), memory.epoch)
    memory.put(other, known(idle=100, idle_ends=NOW + 500), memory.epoch)
    memory.seen = {credential: NOW, other: NOW, some_credential(): NOW}
    taken = memory.take_seen()
    assert len(taken) == 3
    assert memory.seen == {}
    entries = memory.get(credential), memory.get(other)
    assert [entry.idle_ends for entry in entries if entry] == [NOW + 100, NOW + 500]


def test_taking_the_accesses_empties_them() -> None:
    memory = cache()
    memory.accessed["app"] = NOW
    assert memory.take_accessed() == {"app": NOW}
    assert memory.take_accessed() == {}
