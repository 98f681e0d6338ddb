"""Who is in a room from outside its tenant, and who writes in it."""

from dataclasses import replace

import pytest

from bridge.model.ids import MemberID
from bridge.model.tenant import Access, Outsider, Room, RoomType, TenantStatus
from bridge.policy.explain import Question, explain
from bridge.policy.layout import ROOM_MARKER, lay_out
from bridge.policy.membership import outsiders_of_room, people_of_room, people_of_space
from bridge.policy.reconcile import reconcile
from tests.unit.people import BOTS, HOUSE, member, room, room_ids_of, stand, tenant_of, user

GUS = Outsider(member_id=MemberID("gus"), user_id=user("gus"), display_name="Gus")
SAM = Outsider(member_id=MemberID("sam"), user_id=user("sam"), display_name="Sam", active=False)


def shared(**more: object) -> Room:
    found = room("shared", type=RoomType.ALLIANCE, access=Access.INVITE, personal=True, outsiders=frozenset({GUS, SAM}))
    return replace(found, member_ids=frozenset({MemberID("ann")}), **more)


def test_somebody_from_outside_is_in_the_room_and_not_in_the_space() -> None:
    tenant = tenant_of(member("ann", "owner"), member("bob"), rooms=(shared(),))
    assert people_of_room(tenant, shared()) == {user("ann"), user("gus")}
    assert people_of_space(tenant) == {user("ann"), user("bob")}
    desired = lay_out(tenant, HOUSE, room_ids_of(tenant))
    assert desired.people.keys() == {user("ann"), user("bob"), user("gus")}
    marker = desired.rooms[shared().key].state[ROOM_MARKER, ""]
    assert marker["outsiders"] == [user("gus")]
    assert user("gus") not in desired.rooms[shared().key].state["m.room.power_levels", ""]["users"]  # type: ignore[operator]


@pytest.mark.parametrize("status", [status for status in TenantStatus if status is not TenantStatus.ACTIVE])
def test_nobody_from_outside_is_in_a_tenant_that_is_not_active(status: TenantStatus) -> None:
    assert outsiders_of_room(tenant_of(status=status, rooms=(shared(),)), shared()) == ()


def test_nobody_from_outside_is_in_an_archived_room() -> None:
    assert outsiders_of_room(tenant_of(), shared(archived=True)) == ()


def test_who_has_become_a_member_is_none_from_outside_any_more() -> None:
    tenant = tenant_of(member("gus"), rooms=(shared(),))
    assert people_of_room(tenant, shared()) == frozenset(), "the room does not list them"


def test_a_room_that_is_read_only_lets_nobody_but_us_write() -> None:
    tenant = tenant_of(member("ann", "owner"), rooms=(shared(read_only=True),))
    levels = lay_out(tenant, HOUSE, room_ids_of(tenant)).rooms[shared().key].state["m.room.power_levels", ""]
    assert levels["events_default"] == 150


def test_who_is_put_out_is_silenced_before_they_are_taken_out() -> None:
    tenant = tenant_of(member("ann", "owner"), rooms=(shared(),))
    observed = stand(lay_out(tenant, HOUSE, room_ids_of(tenant)), room_ids_of(tenant))
    alone = replace(tenant, rooms=(shared(outsiders=frozenset()),))
    effects = reconcile(lay_out(alone, HOUSE, room_ids_of(alone)), observed, BOTS)
    assert [effect.kind for effect in effects] == ["set_state", "remove_user"]


def test_an_explanation_says_that_they_are_from_outside() -> None:
    tenant = tenant_of(member("ann", "owner"), rooms=(shared(),))
    observed = stand(lay_out(tenant, HOUSE, room_ids_of(tenant)), room_ids_of(tenant))
    asked = Question(
        tenant=tenant,
        desired=lay_out(tenant, HOUSE, room_ids_of(tenant)),
        observed=observed,
        effects=(),
        bots=BOTS,
        member_id=MemberID("gus"),
        user_id=user("gus"),
        room_key=shared().key,
    )
    found = explain(asked)
    assert found.belongs
    assert "outsider_in_room" in {reason.code for reason in found.reasons}
