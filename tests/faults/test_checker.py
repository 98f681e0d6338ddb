"""The checker is worth what it catches: each way of being wrong, planted, is named; what is right is clean."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.checker import check
from tests.faults.history import History, Input, Message, Row
from tests.faults.recovery import recoveries, recoveries_of_rooms, spread_of

A, B, OURS, THEIRS = "!a", "!b", "acme", "umbrella"
TENANTS: Mapping[str, str] = {A: OURS, B: THEIRS}


def put_in(number: int, *room_ids: str, source: str = "n8n", **changes: object) -> Input:
    """Return an input that was sent at second ``number`` and acknowledged half a second later."""
    mark = f"[{source}#{number}]"
    facts = Input(
        mark=mark, kind="relay", source=source, number=number, sender="@relay:x", room_ids=room_ids or (A,),
        text=mark, sent_at=float(number), acknowledged_at=number + 0.5,
    )  # fmt: skip
    return replace(facts, **changes)  # type: ignore[arg-type]


def shown(given: Input, position: int, room_id: str = A, **changes: object) -> Message:
    facts = Message(
        event_id=f"${position}", room_id=room_id, sender=given.sender, text=f"ok {given.text}", mark=given.mark,
        position=position,
    )  # fmt: skip
    return replace(facts, **changes)  # type: ignore[arg-type]


def kept(message: Message, **changes: object) -> Row:
    row = Row(
        event_id=message.event_id, room_id=message.room_id, tenant_id=TENANTS[message.room_id], sender=message.sender,
        text=message.text, mark=message.mark, position=message.position,
    )  # fmt: skip
    return replace(row, **changes)  # type: ignore[arg-type]


def history(*pairs: tuple[Input, int], **changes: object) -> History:
    """Return a history in which these inputs stand at these positions, and the read model has just that."""
    timeline = tuple(shown(given, position) for given, position in pairs)
    whole = History(
        inputs=tuple(given for given, _ in pairs), timeline=timeline, rows=tuple(map(kept, timeline)), tenants=TENANTS
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


ONE, TWO, THREE = put_in(1), put_in(2), put_in(3)
GOOD = history((ONE, 10), (TWO, 20), (THREE, 30))
FIRST, SECOND, THIRD = GOOD.timeline
ROW_1, ROW_2, ROW_3 = GOOD.rows
ALIEN = Message(event_id="$x", room_id=A, sender="@relay:x", text="[who#1]", mark="[who#1]", position=40)
AGAIN = replace(SECOND, event_id="$again", position=40)
DOUBT = put_in(4, acknowledged_at=None)
ELSEWHERE = shown(TWO, 40, room_id=B)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"timeline": (FIRST, THIRD), "rows": (ROW_1, ROW_3)}, {"lost": 1}),
        ({"timeline": (*GOOD.timeline, AGAIN), "rows": (*GOOD.rows, kept(AGAIN))}, {"doubled": 1}),
        ({"timeline": (*GOOD.timeline, ALIEN), "rows": (*GOOD.rows, kept(ALIEN))}, {"aliens": 1}),
        ({"timeline": (*GOOD.timeline, ELSEWHERE), "rows": (*GOOD.rows, kept(ELSEWHERE))}, {"misplaced": 1}),
        ({"leftovers": ("outbox dead: 7",)}, {"unsettled": 1}),
        ({"rows": (ROW_1, ROW_2)}, {"lost": 1}),
        ({"rows": (*GOOD.rows, replace(ROW_2, event_id="$2~"))}, {"doubled": 1}),
        ({"rows": (*GOOD.rows, kept(ALIEN))}, {"aliens": 1}),
        ({"rows": (ROW_1, replace(ROW_2, position=31), ROW_3)}, {"misordered": 1}),
        ({"rows": (ROW_1, replace(ROW_2, tenant_id=THEIRS), ROW_3)}, {"misplaced": 1}),
        ({"rows": (ROW_1, replace(ROW_2, room_id=B, tenant_id=THEIRS), ROW_3)}, {"misplaced": 1}),
        ({"rows": (ROW_1, replace(ROW_2, text="else"), ROW_3)}, {"aliens": 1}),
        ({"rows": (ROW_1, replace(ROW_2, sender="@eve:x"), ROW_3)}, {"aliens": 1}),
        ({"inputs": (*GOOD.inputs, put_in(9))}, {"lost": 1}),
    ],
)
def test_a_planted_fault_is_told_and_no_other(wrong: dict[str, object], told: dict[str, int]) -> None:
    verdict = check(replace(GOOD, **wrong))  # type: ignore[arg-type]
    assert {name: len(cases) for name, cases in verdict.faults.items()} == told


def test_what_is_right_is_clean() -> None:
    assert check(GOOD).is_clean
    assert check(History(inputs=(), timeline=(), rows=(), tenants={})).is_clean


@pytest.mark.parametrize("wrong", [{"sender": "@eve:x"}, {"text": "[n8n#2"}])
def test_a_message_that_says_something_else_or_is_somebody_elses_is_an_alien(wrong: dict[str, str]) -> None:
    other = replace(SECOND, **wrong)  # type: ignore[arg-type]
    timeline = (FIRST, other, THIRD)
    assert check(replace(GOOD, timeline=timeline, rows=tuple(map(kept, timeline)))).faults.keys() == {"aliens"}


def test_inputs_that_stand_in_another_order_than_they_were_given_are_told() -> None:
    verdict = check(history((ONE, 10), (THREE, 20), (TWO, 30)))
    assert verdict.misordered == ("[n8n#3] stands before [n8n#2] in !a",)


def test_order_counts_between_sources_too_where_one_was_acknowledged_before_the_other_began() -> None:
    mine, yours = put_in(1, source="mine"), put_in(2, source="yours")
    assert check(history((yours, 10), (mine, 20))).faults.keys() == {"misordered"}
    at_once = replace(yours, sent_at=1.2)
    assert check(history((at_once, 10), (mine, 20))).is_clean


def test_there_is_no_order_between_what_takes_different_ways() -> None:
    person = put_in(2, source="bob", kind="person")
    assert check(history((person, 10), (ONE, 20))).is_clean


def test_an_input_in_doubt_may_stand_once_anywhere_or_not_at_all() -> None:
    assert check(replace(GOOD, inputs=(*GOOD.inputs, DOUBT))).is_clean
    assert check(history((DOUBT, 5), (ONE, 10), (TWO, 20))).is_clean
    twice = check(history((ONE, 10), (DOUBT, 20), (DOUBT, 30)))
    assert twice.faults.keys() == {"doubled"}


def test_an_input_for_two_rooms_must_stand_in_both() -> None:
    both = put_in(1, A, B)
    here, there = shown(both, 10), shown(both, 11, room_id=B)
    whole = History(inputs=(both,), timeline=(here, there), rows=(kept(here), kept(there)), tenants=TENANTS)
    assert check(whole).is_clean
    assert check(replace(whole, timeline=(here,), rows=(kept(here),))).lost == ("[n8n#1] of n8n is not in !b",)


@given(order=st.permutations(range(1, 7)))
def test_one_after_the_other_only_their_own_order_is_clean(order: list[int]) -> None:
    told = check(history(*((put_in(number), place * 10) for place, number in enumerate(order, start=1))))
    assert told.is_clean == (order == sorted(order))
    assert told.faults.keys() <= {"misordered"}


@given(lost=st.sets(st.integers(1, 6)), doubled=st.sets(st.integers(1, 6)))
def test_each_that_is_lost_or_doubled_is_told(lost: set[int], doubled: set[int]) -> None:
    inputs = [put_in(number) for number in range(1, 7)]
    times = [(one, 0 if one.number in lost else 2 if one.number in doubled else 1) for one in inputs]
    timeline = tuple(shown(one, one.number * 10 + copy) for one, copies in times for copy in range(copies))
    verdict = check(History(inputs=tuple(inputs), timeline=timeline, rows=tuple(map(kept, timeline)), tenants=TENANTS))
    assert (len(verdict.lost), len(verdict.doubled)) == (len(lost), len(doubled - lost))


def test_recovery_is_from_the_kill_to_the_sight_of_what_was_accepted_next() -> None:
    seen = {("[n8n#1]", A): 2.0, ("[n8n#2]", A): 6.0, ("[n8n#3]", A): 4.0}
    assert recoveries([1.0, 1.6, 9.0], [ONE, TWO, THREE], seen) == [1.0, 4.4]


def test_recovery_of_each_room_takes_the_slow_room_too() -> None:
    there = put_in(2, B, source="other")
    seen = {("[n8n#1]", A): 2.0, ("[other#2]", B): 8.0}
    assert sorted(recoveries_of_rooms([1.0], [ONE, there], seen)) == [1.0, 7.0]


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    spread = spread_of([float(number) for number in range(1, 101)])
    assert (spread.count, spread.p50, spread.p95, spread.max) == (100, 50.0, 95.0, 100.0)
    assert spread_of([3.0]).p95 == 3.0
