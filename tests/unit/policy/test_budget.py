"""The budget of rewrites: a fight is stopped, a change of mind is not, and a quiet while makes up for everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model.effect import CreateRoom, Effect, JoinUser, RegisterUser, RemoveUser, SetState
from bridge.model.ids import RoomID
from bridge.policy.budget import (
    CHANGES,
    HORIZON_SECONDS,
    REVOCATIONS,
    Budget,
    Written,
    budget_of,
    rewrite_of,
    seconds_to_wait,
)
from tests.unit.people import GENERAL, user

TOPIC = SetState(
    room_key=GENERAL, room_id=RoomID("!r"), event_type="m.room.topic", state_key="", content={"topic": "ours"}
)
OTHER_TOPIC = SetState(
    room_key=GENERAL, room_id=RoomID("!r"), event_type="m.room.topic", state_key="", content={"topic": "theirs"}
)
LEVELS = SetState(
    room_key=GENERAL, room_id=RoomID("!r"), event_type="m.room.power_levels", state_key="", content={}, revokes=True
)
JOIN = JoinUser(room_key=GENERAL, room_id=RoomID("!r"), user_id=user("ben"), invite=False)
REMOVE = RemoveUser(room_key=GENERAL, room_id=RoomID("!r"), user_id=user("ben"))
ALL = [TOPIC, LEVELS, JOIN, REMOVE]

each_effect = pytest.mark.parametrize("effect", ALL, ids=lambda effect: effect.kind)


def history(effect: Effect, *ages: float) -> list[Written]:
    rewrite = rewrite_of(effect)
    assert rewrite is not None
    return [Written(value=rewrite.value, age_seconds=age) for age in ages]


@each_effect
def test_so_many_writes_at_once_are_made_and_the_next_is_withheld(effect: Effect) -> None:
    budget = budget_of(effect)
    assert seconds_to_wait(effect, history(effect, *[0.0] * (budget.burst - 1))) == 0
    assert seconds_to_wait(effect, history(effect, *[0.0] * budget.burst)) == budget.refill_seconds


@each_effect
def test_after_the_wait_one_write_is_made_and_the_next_waits_again(effect: Effect) -> None:
    budget = budget_of(effect)
    later = history(effect, *[budget.refill_seconds] * budget.burst)
    assert seconds_to_wait(effect, later) == 0
    assert seconds_to_wait(effect, [*later, *history(effect, 0.0)]) == budget.refill_seconds


@each_effect
def test_a_quiet_while_gives_the_whole_budget_back(effect: Effect) -> None:
    budget = budget_of(effect)
    long_ago = history(effect, *[budget.burst * budget.refill_seconds] * budget.burst)
    fresh = history(effect, *[0.0] * (budget.burst - 1))
    assert seconds_to_wait(effect, [*long_ago, *fresh]) == 0


def test_what_takes_away_is_kept_up_longer() -> None:
    assert budget_of(REMOVE) == budget_of(LEVELS) == REVOCATIONS
    assert budget_of(JOIN) == budget_of(TOPIC) == CHANGES
    assert REVOCATIONS.burst > CHANGES.burst
    assert REVOCATIONS.refill_seconds < CHANGES.refill_seconds


@pytest.mark.parametrize("budget", [CHANGES, REVOCATIONS])
def test_history_is_kept_for_as_long_as_it_counts(budget: Budget) -> None:
    assert budget.burst * budget.refill_seconds < HORIZON_SECONDS


def test_somebody_who_changes_their_mind_again_and_again_does_not_fight() -> None:
    minds = [*history(TOPIC, 0.0), *history(OTHER_TOPIC, 0.0)] * 50
    assert seconds_to_wait(TOPIC, minds) == 0
    comings_and_goings = [*history(JOIN, 0.0), *history(REMOVE, 0.0)] * 50
    assert seconds_to_wait(JOIN, comings_and_goings) == 0
    assert seconds_to_wait(REMOVE, comings_and_goings[:-1]) == 0


def test_a_fight_about_another_value_is_another_fight() -> None:
    spent = history(OTHER_TOPIC, *[0.0] * 100)
    assert seconds_to_wait(TOPIC, spent) == 0
    assert seconds_to_wait(OTHER_TOPIC, spent) > 0


def test_joining_and_taking_out_write_the_same_piece_of_state() -> None:
    joined, removed = rewrite_of(JOIN), rewrite_of(REMOVE)
    assert joined is not None
    assert removed is not None
    assert joined.subject == removed.subject
    assert joined.value != removed.value


def test_what_nobody_can_undo_has_no_budget() -> None:
    create = CreateRoom(room_key=GENERAL, creation_content={}, state=(), bots=())
    for effect in (RegisterUser(user_id=user("ben")), create):
        assert rewrite_of(effect) is None
        assert seconds_to_wait(effect, ()) == 0


ages = st.lists(st.floats(0, HORIZON_SECONDS), max_size=40).map(lambda found: sorted(found, reverse=True))


@given(ages, st.sampled_from(ALL))
def test_time_never_makes_the_wait_longer_and_a_write_never_makes_it_shorter(
    found: list[float], effect: Effect
) -> None:
    now = seconds_to_wait(effect, history(effect, *found))
    later = seconds_to_wait(effect, history(effect, *(age + 30 for age in found)))
    again = seconds_to_wait(effect, history(effect, *found, 0.0))
    assert later <= now + 1e-6
    assert now <= again + 1e-6


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 5), st.sampled_from(ALL))
def test_an_endless_fight_comes_down_to_the_refill(pause: float, effect: Effect) -> None:
    """Play a fight against somebody who undoes it after each pause, for ten minutes."""
    budget, time, written = budget_of(effect), 0.0, list[float]()
    while time < 600:
        seen = [time - at for at in written if time - at <= HORIZON_SECONDS]
        wait = seconds_to_wait(effect, history(effect, *seen))
        if wait:
            time += wait
            continue
        written.append(time)
        time += pause
    assert len(written) <= budget.burst + 600 / budget.refill_seconds + 1
