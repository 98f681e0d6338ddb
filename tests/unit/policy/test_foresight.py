"""Foresight: what was just made counts as seen, so that a plan made in between is the right one."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bridge.model.effect import JoinUser
from bridge.model.room import Observed
from bridge.model.tenant import Tenant
from bridge.policy.foresight import foresee
from bridge.policy.layout import lay_out
from bridge.policy.reconcile import reconcile
from tests.unit.people import BOTS, HOUSE, user
from tests.unit.policy.simulator import apply
from tests.unit.policy.strategies import NAMES, standing
from tests.unit.policy.test_reconcile_laws import TENANTS, laws, look


@laws
@given(TENANTS, st.data())
def test_with_foresight_nothing_is_made_twice_before_it_is_seen(tenant: Tenant, data: st.DataObject) -> None:
    """Whatever part of a plan is made: what is planned next is what would be planned if everything were seen."""
    matrix, ids = data.draw(standing(tenant))
    before = look(matrix, ids)
    effects = reconcile(lay_out(tenant, HOUSE, ids), before, BOTS)
    made = effects[: data.draw(st.integers(0, len(effects)))]
    apply(matrix, made, ids)
    seen = look(matrix, ids)
    # rooms and accounts are recorded as they are made, their state is not
    rooms = {key: before.rooms.get(key) or replace(room, state={}, members={}) for key, room in seen.rooms.items()}
    recorded = Observed(rooms=rooms, people=seen.people)
    foreseen = reconcile(lay_out(tenant, HOUSE, ids), foresee(recorded, made, ids, BOTS), BOTS)
    assert foreseen == reconcile(lay_out(tenant, HOUSE, ids), seen, BOTS)


@laws
@given(TENANTS, st.data())
def test_whom_we_joined_a_moment_ago_is_taken_out_by_the_next_wish(tenant: Tenant, data: st.DataObject) -> None:
    matrix, ids = data.draw(standing(tenant))
    before = look(matrix, ids)
    effects = reconcile(lay_out(tenant, HOUSE, ids), before, BOTS)
    apply(matrix, effects, ids)
    seen = look(matrix, ids)
    empty = replace(tenant, members=())
    recorded = Observed(rooms={key: before.rooms.get(key, room) for key, room in seen.rooms.items()}, people={})
    planned = reconcile(lay_out(empty, HOUSE, ids), foresee(recorded, effects, ids, BOTS), BOTS)
    apply(matrix, planned, ids)
    people = {user(name) for name in NAMES}
    joined = {(effect.room_key, effect.user_id) for effect in effects if isinstance(effect, JoinUser)}
    for key, user_id in joined:
        if user_id in people:
            assert matrix.rooms[ids[key]].membership(user_id) == "leave"
