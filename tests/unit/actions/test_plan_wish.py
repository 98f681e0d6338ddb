"""What-if: a wish is planned as it would be stored and reconciled, and nothing is stored."""

import copy
from dataclasses import replace

import pytest

from bridge.actions.plan_wish import PlanWish, WholeWish, WishPlan
from bridge.actions.replace_members import ReplaceMembers
from bridge.actions.upsert_tenant import UpsertTenant
from bridge.errors import Conflict, InvalidInput
from bridge.model.audit import PLATFORM_ACTOR
from bridge.model.change import MemberWish, TenantWish
from bridge.model.effect import JoinUser, RegisterUser, RemoveUser
from bridge.model.ids import SPACE, MemberID, RoomKey
from bridge.model.tenant import Access, Role, Room, RoomType, TenantSettings, TenantStatus
from tests.unit.actions.test_reconcile_tenant import NEWS, ROOMS, Site
from tests.unit.fake_edges import FakeEntropy
from tests.unit.people import ACME, GENERAL, GLOBEX, HOUSE, user

ANNA = MemberWish(member_id=MemberID("anna"), role=Role.OWNER)
BEN = MemberWish(member_id=MemberID("ben"), role=Role.MEMBER)
NEW = MemberWish(member_id=MemberID("carl"), role=Role.MODERATOR, display_name="Carl")
SAME = WholeWish(tenant_id=ACME, tenant=TenantWish(name="Acme", rooms=ROOMS), members=[ANNA, BEN])


async def standing() -> Site:
    site = Site()
    await site.ask()
    await site.run()
    return site


async def plan(site: Site, wish: WholeWish, *, max_percent: int = 100) -> WishPlan:
    before = copy.deepcopy(site.database.memory)
    made = await PlanWish(database=site.database, house=HOUSE, max_removal_percent=max_percent)(wish)
    assert site.database.memory == before, "a plan stores nothing"
    return made


def told(made: WishPlan) -> list[tuple[str, str, str, str]]:
    return [(change.action, change.what, change.name, change.field) for change in made.changes]


async def test_what_stands_already_is_an_empty_plan() -> None:
    made = await plan(await standing(), SAME)
    assert made.is_empty
    assert (made.changes, made.plan.effects) == ((), ())


async def test_a_tenant_that_does_not_exist_is_planned_whole() -> None:
    wish = WholeWish(tenant_id=GLOBEX, tenant=TenantWish(name="Globex", rooms=ROOMS[:1]), members=[NEW])
    made = await plan(await standing(), wish)
    assert told(made) == [
        ("create", "tenant", "globex", ""),
        ("create", "room", "general", ""),
        ("create", "member", "carl", ""),
    ]
    assert [effect.room_key for effect in made.plan.effects if isinstance(effect, JoinUser)] == [SPACE, GENERAL]
    assert set(made.people.values()) == {"carl"}


async def test_every_kind_of_change_is_told() -> None:
    site = await standing()
    rooms = (replace(ROOMS[0], name="Plenum", topic="Us"), Room(key=RoomKey("hr"), type=RoomType.CUSTOM, name="HR"))
    tenant = TenantWish(
        name="Acme Ltd", status=TenantStatus.ACTIVE, settings=TenantSettings(retention_days=30), rooms=rooms
    )
    members = [ANNA, replace(BEN, role=Role.ADMIN, display_name="Benedict"), NEW]
    made = await plan(site, WholeWish(tenant_id=ACME, tenant=tenant, members=members))
    assert told(made) == [
        ("change", "tenant", "acme", "name"),
        ("change", "setting", "retention_days", ""),
        ("change", "room", "general", "name"),
        ("change", "room", "general", "topic"),
        ("create", "room", "hr", ""),
        ("remove", "room", "news", ""),
        ("change", "member", "ben", "role"),
        ("change", "member", "ben", "display_name"),
        ("create", "member", "carl", ""),
    ]
    changed = {change.field: (change.before, change.after) for change in made.changes}
    assert changed["role"] == ("member", "admin")
    assert {effect.room_key for effect in made.plan.effects if isinstance(effect, RemoveUser)} == {NEWS}


async def test_rooms_in_another_order_are_a_change() -> None:
    made = await plan(await standing(), replace(SAME, tenant=TenantWish(name="Acme", rooms=ROOMS[::-1])))
    assert [(change.name, change.before, change.after) for change in made.changes] == [
        ("order", ["general", "news"], ["news", "general"])
    ]


async def test_who_has_an_account_already_gets_no_second_one() -> None:
    site = await standing()
    wish = WholeWish(tenant_id=GLOBEX, tenant=TenantWish(name="Globex"), members=[replace(BEN, role=Role.OWNER)])
    made = await plan(site, wish)
    assert not any(isinstance(effect, RegisterUser) for effect in made.plan.effects)
    assert {effect.user_id for effect in made.plan.effects if isinstance(effect, JoinUser)} == {user("ben")}


async def test_a_list_that_is_left_out_leaves_members_as_they_are() -> None:
    made = await plan(await standing(), replace(SAME, members=None))
    assert made.is_empty


async def test_the_plan_of_a_wish_is_what_storing_it_leads_to() -> None:
    site = await standing()
    rooms = (*ROOMS, Room(key=RoomKey("hr"), type=RoomType.CUSTOM, name="HR", access=Access.INVITE))
    wish = WholeWish(tenant_id=ACME, tenant=TenantWish(name="Acme", rooms=rooms), members=[ANNA, NEW])
    planned = await plan(site, wish)
    await UpsertTenant(database=site.database, house=HOUSE)(ACME, wish.tenant, acting_user=PLATFORM_ACTOR)
    replacing = ReplaceMembers(database=site.database, house=HOUSE, entropy=FakeEntropy(), max_removal_percent=0)
    await replacing(ACME, wish.members or [], confirm_plan=planned.confirmation, acting_user=PLATFORM_ACTOR)
    stored = await plan(site, wish)
    assert stored.changes == ()
    assert [effect.kind for effect in stored.plan.effects] == [effect.kind for effect in planned.plan.effects]


async def test_the_hash_is_the_same_each_time_and_differs_with_the_plan() -> None:
    site = await standing()
    wish = replace(SAME, members=[ANNA, BEN, NEW])
    assert (await plan(site, wish)).hash == (await plan(site, wish)).hash
    other = replace(SAME, members=[ANNA, BEN, replace(NEW, role=Role.GUEST)])
    assert (await plan(site, wish)).hash != (await plan(site, other)).hash
    assert (await plan(site, SAME)).hash != (await plan(site, wish)).hash


async def test_many_removals_are_pointed_out() -> None:
    site = await standing()
    assert (await plan(site, replace(SAME, members=[ANNA]), max_percent=0)).takes_out_many
    assert not (await plan(site, replace(SAME, members=[ANNA]), max_percent=100)).takes_out_many
    assert not (await plan(site, SAME, max_percent=0)).takes_out_many


@pytest.mark.parametrize(
    ("members", "error"),
    [([], InvalidInput), ([ANNA, ANNA], InvalidInput), ([BEN], Conflict)],
)
async def test_what_storing_would_refuse_the_plan_refuses(members: list[MemberWish], error: type[Exception]) -> None:
    with pytest.raises(error):
        await plan(await standing(), replace(SAME, members=members))


async def test_a_removed_tenant_is_not_planned() -> None:
    site = await standing()
    tenants = site.database.memory.tenants
    tenants[ACME] = replace(tenants[ACME], status=TenantStatus.REMOVED)
    with pytest.raises(Conflict):
        await plan(site, SAME)
