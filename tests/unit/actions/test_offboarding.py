"""Off-boarding: suspended at once, brought back within its grace, removed in two steps afterwards."""

from datetime import timedelta

import pytest

from bridge.actions.offboard_tenant import RemoveOffboardedTenants
from bridge.errors import Conflict, NotFound
from bridge.model.audit import PLATFORM_ACTOR
from bridge.model.change import Change, Offboarding, TenantWish
from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, MemberID, RoomID, TenantID
from bridge.model.tenant import Role, Tenant, TenantStatus
from tests.unit.house import House
from tests.unit.people import ACME, GENERAL, GLOBEX, HOUSE, member, room, tenant_of, user

ROOM = RoomID("!general")
MONTH = timedelta(days=30)


def house_of(*, in_room: str | None = None) -> House:
    house = House()
    house.database.put_tenant(tenant_of(member("anna", "owner"), member("ben")))
    if in_room:
        house.database.put_room(ACME, ROOM, GENERAL)
        set_membership(house, in_room, "join")
    return house


def set_membership(house: House, name: str, membership: str) -> None:
    event = MatrixEvent(
        event_id=EventID(f"${name}-{membership}"),
        room_id=ROOM,
        event_type="m.room.member",
        sender=user(name) if membership == "join" else HOUSE.bots.creator,
        content={"membership": membership},
        origin_server_ts=1,
        state_key=user(name),
    )
    house.database.memory.state[ROOM, "m.room.member", user(name)] = event


def stored(house: House) -> Tenant:
    return house.database.memory.tenants[ACME]


def audited(house: House) -> list[str]:
    return [entry.action for _, _, entry in house.database.memory.audit]


async def offboard(house: House, **how: object) -> tuple[Change, Tenant]:
    return await house.actions().offboard_tenant(ACME, Offboarding(**how), acting_user=PLATFORM_ACTOR)


async def sweep(house: House) -> int:
    return await RemoveOffboardedTenants(database=house.database, house=HOUSE, clock=house.clock)()


async def test_a_tenant_is_suspended_at_once_and_asking_again_changes_nothing() -> None:
    house = house_of()
    change, tenant = await offboard(house)
    assert (stored(house).status, tenant.removes_at) == (TenantStatus.SUSPENDED, house.clock.now() + MONTH)
    assert await offboard(house) == (change, tenant)
    assert audited(house) == ["tenant.offboarded"]


async def test_an_absent_tenant_cannot_be_off_boarded() -> None:
    with pytest.raises(NotFound):
        await House().actions().offboard_tenant(TenantID("absent"), Offboarding(), acting_user=PLATFORM_ACTOR)


async def test_within_its_grace_nothing_is_removed_and_it_can_come_back() -> None:
    house = house_of()
    await offboard(house)
    house.clock.pass_seconds(MONTH.total_seconds() - 1)
    assert await sweep(house) == 0
    await house.actions().upsert_tenant(
        ACME, TenantWish(name="Acme", status=TenantStatus.ACTIVE), acting_user=PLATFORM_ACTOR
    )
    house.clock.pass_seconds(2)
    assert await sweep(house) == 0
    assert (stored(house).status, stored(house).removes_at) == (TenantStatus.ACTIVE, None)
    assert len(house.database.memory.memberships[ACME]) == 2


async def test_afterwards_everybody_leaves_before_it_counts_as_removed() -> None:
    house = house_of(in_room="ben")
    await house.actions().create_integration_key(
        ACME, name="n8n", scopes=("events:write",), room_keys=None, expires_at=None, acting_user=PLATFORM_ACTOR
    )
    await offboard(house, grace_days=1)
    house.database.memory.jobs.clear()
    house.clock.pass_seconds(24 * 3600)
    assert await sweep(house) == 0
    assert stored(house).status is TenantStatus.REMOVING
    assert house.database.memory.keys == {}, "keys end when the grace does"
    assert [job.state for job in house.database.memory.jobs.values()] == ["queued"], "somebody is to be taken out"
    plan, _ = await house.actions().plan_tenant(ACME)
    assert plan.remove == 1
    assert await sweep(house) == 0, "as long as somebody is in a room it is not removed"
    assert "tenant.removed" not in audited(house)


async def test_a_tenant_in_which_nobody_is_left_is_removed_with_its_memberships() -> None:
    house = house_of()
    change, _ = await offboard(house, at_once=True)
    assert change.job_id is None, "rooms that were never made are not made for this"
    assert await sweep(house) == 1
    assert stored(house).status is TenantStatus.REMOVED
    assert house.database.memory.memberships[ACME] == {}
    assert audited(house)[-1] == "tenant.removed"
    assert house.database.memory.people[MemberID("ben")].active, "people are nobody's property"
    assert await sweep(house) == 0


async def test_what_is_being_removed_takes_no_change_any_more() -> None:
    house = house_of(in_room="ben")
    await offboard(house, at_once=True)
    actions, ben = house.actions(), MemberID("ben")
    for attempt in (
        actions.upsert_tenant(ACME, TenantWish(name="A", status=TenantStatus.ACTIVE), acting_user=PLATFORM_ACTOR),
        actions.put_member(ACME, ben, role=Role.OWNER, display_name=None, acting_user=PLATFORM_ACTOR),
        actions.remove_member(ACME, ben, acting_user=PLATFORM_ACTOR),
        actions.create_integration_key(
            ACME, name="n", scopes=(), room_keys=None, expires_at=None, acting_user=PLATFORM_ACTOR
        ),
    ):
        with pytest.raises(Conflict):
            await attempt
    change, tenant = await offboard(house, at_once=True)
    assert (change.revision, tenant.status) == (2, TenantStatus.REMOVING), "asked again it goes on"


async def test_people_of_another_tenant_are_out_once_this_one_is_suspended() -> None:
    house = house_of(in_room="ben")
    house.database.put_tenant(tenant_of(member("ben"), rooms=(room("theirs"),), tenant_id=GLOBEX))
    await offboard(house)
    plan, _ = await house.actions().plan_tenant(ACME)
    assert [(e.room_id, e.user_id) for e in plan.effects if e.kind == "remove_user"] == [(ROOM, user("ben"))]


async def test_suspending_one_tenant_brings_people_back_into_another_suspended_one() -> None:
    house = house_of()
    other = tenant_of(member("ben"), tenant_id=GLOBEX, status=TenantStatus.SUSPENDED)
    house.database.put_tenant(other)
    await offboard(house)
    assert {job.tenant_id for job in house.database.memory.jobs.values()} == {ACME, GLOBEX}
