"""Laws of reconcile, by hypothesis, against a Matrix that is as strict as Synapse."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.model.effect import CreateRoom, Effect, JoinUser, RemoveUser, SetState, effect_target
from bridge.model.ids import RoomID, RoomKey
from bridge.model.room import MatrixHouse, Observed
from bridge.model.tenant import Tenant
from bridge.policy.layout import lay_out
from bridge.policy.plan import make_plan
from bridge.policy.power_levels import BOT_LEVEL, OURS_ONLY, level_of
from bridge.policy.reconcile import reconcile
from bridge.policy.stages import REVOCATIONS_END, stage_of
from bridge.policy.tightening import tightens
from tests.unit.people import ACME, BOTS, GENERAL, GLOBEX, user
from tests.unit.policy.simulator import Matrix, StandingRoom, apply
from tests.unit.policy.strategies import NAMES, houses, standing, tenants

K, V = TypeVar("K"), TypeVar("V")

laws = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Standing = tuple[Tenant, MatrixHouse, Matrix, dict[RoomKey, RoomID]]


TENANTS = tenants()


@st.composite
def situations(draw: st.DrawFn) -> Standing:
    tenant, house = draw(TENANTS), draw(houses)
    matrix, ids = draw(standing(tenant, house))
    return tenant, house, matrix, ids


def look(matrix: Matrix, ids: dict[RoomKey, RoomID]) -> Observed:
    return matrix.observe(ids, [user(name) for name in NAMES])


def plan(tenant: Tenant, house: MatrixHouse, matrix: Matrix, ids: dict[RoomKey, RoomID]) -> tuple[Effect, ...]:
    return reconcile(lay_out(tenant, house, ids), look(matrix, ids), BOTS)


@laws
@given(situations())
def test_after_its_plan_nothing_is_left_to_do(situation: Standing) -> None:
    tenant, house, matrix, ids = situation
    apply(matrix, plan(tenant, house, matrix, ids), ids)
    assert plan(tenant, house, matrix, ids) == ()


@laws
@given(situations())
def test_stages_lead_to_the_same_end_as_the_plans_own_order(situation: Standing) -> None:
    tenant, house, matrix, ids = situation
    apply(matrix, sorted(plan(tenant, house, matrix, ids), key=stage_of), ids)
    assert plan(tenant, house, matrix, ids) == ()


@laws
@given(situations(), st.data())
def test_a_plan_that_stops_halfway_is_taken_up_where_it_stopped(situation: Standing, data: st.DataObject) -> None:
    tenant, house, matrix, ids = situation
    effects = plan(tenant, house, matrix, ids)
    apply(matrix, effects[: data.draw(st.integers(0, len(effects)))], ids)
    apply(matrix, plan(tenant, house, matrix, ids), ids)
    assert plan(tenant, house, matrix, ids) == ()


@laws
@given(situations())
def test_nobody_who_does_not_belong_is_left_inside(situation: Standing) -> None:
    tenant, house, matrix, ids = situation
    apply(matrix, plan(tenant, house, matrix, ids), ids)
    for key, room in lay_out(tenant, house, ids).rooms.items():
        standing_room = matrix.rooms[ids[key]]
        inside = {who for who in standing_room.members if standing_room.membership(who) in {"join", "invite", "knock"}}
        assert inside - BOTS.all <= room.people


@laws
@given(situations())
def test_nobody_is_joined_against_an_exclusion(situation: Standing) -> None:
    tenant, house, matrix, ids = situation
    effects = plan(tenant, house, matrix, ids)
    for effect in effects:
        if not isinstance(effect, JoinUser) or effect.user_id in BOTS.all or effect.room_id not in matrix.rooms:
            continue
        before = matrix.rooms[effect.room_id].members.get(effect.user_id)
        assert before is None or before.membership != "ban"
        was_kicked = before is not None and before.membership == "leave" and before.sender not in {
            effect.user_id, *BOTS.all
        }  # fmt: skip
        assert not was_kicked


@laws
@given(situations())
def test_a_plan_never_touches_our_bots(situation: Standing) -> None:
    tenant, house, matrix, ids = situation
    for effect in plan(tenant, house, matrix, ids):
        assert not (isinstance(effect, RemoveUser) and effect.user_id in BOTS.all)
        for users in _power_levels_of(effect):
            assert {bot: users.get(bot) for bot in BOTS.all - BOTS.creators} == {
                BOTS.relay: BOT_LEVEL,
                BOTS.assistant: BOT_LEVEL,
            }
            creators = {who: level for who, level in users.items() if who in BOTS.creators}
            assert creators == (dict.fromkeys(BOTS.creators, OURS_ONLY) if house.room_version == "11" else {})


def _power_levels_of(effect: Effect) -> list[dict[str, int]]:
    if isinstance(effect, SetState) and effect.event_type == "m.room.power_levels":
        return [effect.content["users"]]
    if isinstance(effect, CreateRoom):
        return [content["users"] for kind, _, content in effect.state if kind == "m.room.power_levels"]
    return []


@laws
@given(tenants(ACME), tenants(GLOBEX), st.data())
def test_no_plan_of_one_tenant_names_a_room_of_another(ours: Tenant, theirs: Tenant, data: st.DataObject) -> None:
    matrix, ids = data.draw(standing(ours))
    foreign, foreign_ids = data.draw(standing(theirs))
    # their rooms stand in the same Matrix, and somebody has linked one of them in our space
    for found in foreign_ids.values():
        matrix.rooms[found] = foreign.rooms[found]
        for room in (matrix.rooms[ours_id] for ours_id in ids.values()):
            room.state["m.space.child", found] = {"via": ["s"]}
    for effect in plan(ours, matrix.house, matrix, ids):
        target = effect_target(effect)
        assert target.room_id is None or target.room_id in ids.values()
        if isinstance(effect, SetState) and effect.state_key in foreign_ids.values():
            assert (effect.event_type, effect.content) == ("m.space.child", {})  # the link is undone
        else:
            assert not any(found in str(effect) for found in foreign_ids.values())


@laws
@given(situations())
def test_revocations_come_before_grants(situation: Standing) -> None:
    ranks = [_rank(effect) for effect in plan(*situation) if _rank(effect) is not None]
    assert ranks == sorted(ranks)


def _rank(effect: Effect) -> int | None:
    """Return 0 for what takes away, 1 for what lets in; our creator comes back to do either."""
    match effect:
        case RemoveUser() | SetState(revokes=True):
            return 0
        case JoinUser(is_creator=False):
            return 1
        case _:
            return None


@laws
@given(situations())
def test_once_the_revocations_are_made_nobody_has_what_is_not_theirs(situation: Standing) -> None:
    tenant, house, matrix, ids = situation
    effects = plan(tenant, house, matrix, ids)
    apply(matrix, [effect for effect in effects if stage_of(effect) < REVOCATIONS_END], ids)
    for key, room in lay_out(tenant, house, ids).rooms.items():
        if key not in ids:
            continue
        standing_room = matrix.rooms[ids[key]]
        inside = {who for who in standing_room.members if standing_room.membership(who) in {"join", "invite", "knock"}}
        assert inside - BOTS.all <= room.people
        for (event_type, state_key), wanted in room.state.items():
            assert not tightens(event_type, wanted, standing_room.state.get((event_type, state_key)))


@laws
@given(situations())
def test_what_only_gives_takes_nothing(situation: Standing) -> None:
    tenant, house, matrix, ids = situation
    levels = {key: matrix.rooms[found].state.get(("m.room.power_levels", ""), {}) for key, found in ids.items()}
    for effect in plan(tenant, house, matrix, ids):
        if isinstance(effect, SetState) and effect.event_type == "m.room.power_levels" and not effect.revokes:
            before = levels[effect.room_key]
            for name in NAMES:
                assert level_of(user(name), effect.content) >= level_of(user(name), before)


@laws
@given(situations(), st.randoms(use_true_random=False))
def test_a_plan_and_its_hash_do_not_depend_on_the_order_in_which_things_are_told(
    situation: Standing, random: Random
) -> None:
    tenant, house, matrix, ids = situation
    first = plan(tenant, house, matrix, ids)
    members = list(tenant.members)
    random.shuffle(members)
    shuffled = Matrix(
        house=house,
        rooms={
            room_id: StandingRoom(state=_shuffled(random, room.state), members=_shuffled(random, room.members))
            for room_id, room in _shuffled(random, matrix.rooms).items()
        },
        accounts=_shuffled(random, matrix.accounts),
        avatars=_shuffled(random, matrix.avatars),
    )
    second = plan(replace(tenant, members=tuple(members)), house, shuffled, _shuffled(random, ids))
    assert second == first
    assert make_plan(second).hash == make_plan(first).hash
    assert [effect_target(effect) for effect in second] == [effect_target(effect) for effect in first]


def _shuffled(random: Random, mapping: dict[K, V]) -> dict[K, V]:
    items = list(mapping.items())
    random.shuffle(items)
    return dict(items)


@laws
@given(situations())
def test_stages_never_run_ahead_of_the_plans_order(situation: Standing) -> None:
    stages = [stage_of(effect) for effect in plan(*situation)]
    assert stages == sorted(stages)


@laws
@given(situations())
def test_effect_ids_are_unique_in_a_plan_and_the_same_in_every_run(situation: Standing) -> None:
    first = [effect_target(effect).effect_id for effect in plan(*situation)]
    assert len(set(first)) == len(first)
    assert [effect_target(effect).effect_id for effect in plan(*situation)] == first


@laws
@given(situations(), situations())
def test_plan_hashes_are_equal_when_the_effects_are_and_only_then(one: Standing, other: Standing) -> None:
    first, second, again = plan(*one), plan(*other), plan(*one)
    assert make_plan(first).hash == make_plan(again).hash
    assert (make_plan(first).hash == make_plan(second).hash) == (_plain(first) == _plain(second))


STATE = SetState(
    room_key=GENERAL, room_id=RoomID("!r"), event_type="m.room.name", state_key="", content={"name": "General"}
)
JOIN = JoinUser(room_key=GENERAL, room_id=RoomID("!r"), user_id=user("ben"), invite=False)


@pytest.mark.parametrize(
    "other",
    [
        (),
        (STATE,),
        (JOIN, STATE),
        (STATE, JOIN, JOIN),
        (replace(STATE, content={"name": "Other"}), JOIN),
        (replace(STATE, state_key="x"), JOIN),
        (replace(STATE, event_type="m.room.topic"), JOIN),
        (replace(STATE, room_id=RoomID("!s")), JOIN),
        (replace(STATE, revokes=True), JOIN),
        (STATE, replace(JOIN, invite=True)),
        (STATE, replace(JOIN, user_id=user("anna"))),
        (STATE, RemoveUser(room_key=JOIN.room_key, room_id=JOIN.room_id, user_id=JOIN.user_id)),
    ],
)
def test_whatever_differs_in_a_plan_differs_in_its_hash(other: tuple[Effect, ...]) -> None:
    assert make_plan(other).hash != make_plan((STATE, JOIN)).hash


@laws
@given(situations())
def test_a_plans_summary_counts_every_effect_once(situation: Standing) -> None:
    effects = plan(*situation)
    made = make_plan(effects)
    assert made.create + made.change + made.remove == len(effects)
    assert made.remove == sum(isinstance(effect, RemoveUser) for effect in effects)


def _plain(effects: Sequence[Effect]) -> list[str]:
    return [str(effect) for effect in effects]
