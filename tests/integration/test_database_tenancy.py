"""Desired state on a real PostgreSQL: what is stored comes back, whole lists are one transaction, owners are kept."""

import asyncio
import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.actions.offboard_tenant import OffboardTenant, RemoveOffboardedTenants
from bridge.actions.put_member import PutMember
from bridge.actions.remove_member import RemoveMember
from bridge.actions.replace_members import ReplaceMembers
from bridge.errors import Conflict
from bridge.model.audit import GENESIS, PLATFORM_ACTOR, AuditEntry
from bridge.model.change import MemberWish, Offboarding
from bridge.model.ids import MemberID, RoomKey, TenantID, UserID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Access, Person, Role, Room, RoomType, Tenant, TenantSettings, TenantStatus
from bridge.system import SystemClock, SystemEntropy
from tests.support.own_database import ACME, BOTS, GLOBEX, OwnDatabase

HOUSE = MatrixHouse(server_name="s", room_version="12", bots=BOTS)
ENTROPY = SystemEntropy(human_prefix="u_")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TENANT = Tenant(
    tenant_id=ACME,
    name="Acme",
    status=TenantStatus.SUSPENDED,
    settings=TenantSettings(dms=False),
    revision=7,
    rooms=(
        Room(key=RoomKey("general"), type=RoomType.GENERAL, name="General", avatar_url="mxc://s/room"),
        Room(
            key=RoomKey("board"),
            type=RoomType.CUSTOM,
            name="Board",
            topic="t",
            access=Access.INVITE,
            optional=True,
            member_ids=frozenset({MemberID("ben")}),
            archived=True,
            group="Sales & more",
        ),
    ),
    members=(),
    avatar_url="mxc://s/acme",
    offboarded_at=NOW,
    removes_at=NOW + timedelta(days=30),
)


async def save(own: OwnDatabase, tenant: Tenant, *people: str, role: Role = Role.MEMBER) -> None:
    async with own.database.act(tenant.tenant_id, PLATFORM_ACTOR) as act:
        await act.tenants.save(tenant)
        await act.people.save(
            *(Person(member_id=MemberID(who), user_id=UserID(f"@u_{who}:s"), display_name=who) for who in people)
        )
        await act.tenants.save_members({MemberID(who): role for who in people})
        act.nothing_changed()


async def find(own: OwnDatabase, tenant_id: TenantID = ACME) -> Tenant:
    async with own.database.work(tenant_id) as work:
        tenant = await work.tenants.find()
    assert tenant is not None
    return tenant


def replace_members(own: OwnDatabase) -> ReplaceMembers:
    return ReplaceMembers(database=own.database, house=HOUSE, entropy=ENTROPY, max_removal_percent=20)


async def test_everything_of_a_tenant_comes_back_as_it_was_stored(own: OwnDatabase) -> None:
    await save(own, TENANT)
    assert await find(own) == TENANT
    changed = replace(TENANT, status=TenantStatus.ACTIVE, avatar_url="", offboarded_at=None, removes_at=None)
    await save(own, changed)
    assert await find(own) == changed


async def test_a_room_that_is_saved_alone_keeps_its_place_and_a_new_one_comes_last(own: OwnDatabase) -> None:
    await save(own, TENANT)
    general = replace(TENANT.rooms[0], topic="changed")
    new = Room(key=RoomKey("aaa"), type=RoomType.CUSTOM, name="New")
    async with own.database.work(ACME) as work:
        await work.tenants.save_room(general)
        await work.tenants.save_room(new)
    assert (await find(own)).rooms == (general, TENANT.rooms[1], new)


async def test_who_has_another_active_tenant_is_looked_up_for_a_suspended_one_alone(own: OwnDatabase) -> None:
    await save(own, TENANT, "ann", "bob", "cyd")
    await save(own, replace(TENANT, tenant_id=GLOBEX, status=TenantStatus.ACTIVE), "bob")
    await save(own, replace(TENANT, tenant_id=TenantID("third")), "cyd")

    async def elsewhere(tenant_id: TenantID) -> set[str]:
        return {m.member_id for m in (await find(own, tenant_id)).members if m.has_other_active_tenant}

    assert await elsewhere(ACME) == {"bob"}
    assert await elsewhere(GLOBEX) == set(), "it is active itself"
    assert await own.database.suspended_tenants_of([MemberID("bob"), MemberID("cyd")]) == [ACME, "third"]
    assert await own.database.suspended_tenants_of([MemberID("absent")]) == []


async def test_tenants_are_removed_when_their_day_has_come(own: OwnDatabase) -> None:
    await save(own, TENANT)
    await save(own, replace(TENANT, tenant_id=GLOBEX, status=TenantStatus.REMOVED))
    assert TENANT.removes_at is not None
    assert await own.database.tenants_to_remove(TENANT.removes_at) == [ACME]
    assert await own.database.tenants_to_remove(TENANT.removes_at - timedelta(seconds=1)) == []


async def test_several_audit_rows_of_one_act_are_links_of_one_chain(own: OwnDatabase) -> None:
    async with own.database.act(ACME, PLATFORM_ACTOR) as act:
        await act.audit(*(AuditEntry(action="x", target=str(n), personal={"name": f"N{n}"}) for n in range(3)))
        await act.audit(AuditEntry(action="x", target="3"))
    previous = GENESIS
    rows = await own.rows(
        "SELECT seq, entry, previous_hash, hash FROM audit_log WHERE tenant_id = $1 ORDER BY seq", ACME
    )
    for number, row in enumerate(rows, start=1):
        assert (row["seq"], row["previous_hash"]) == (number, previous)
        assert row["hash"] == hashlib.sha256(previous + row["entry"].encode()).digest()
        previous = row["hash"]
    assert len(rows) == 4
    assert await own.ask("SELECT hash FROM audit_heads WHERE tenant_id = $1", ACME) == previous
    assert await own.ask("SELECT count(*) FROM audit_personal WHERE tenant_id = $1", ACME) == 3


async def test_two_thousand_people_come_in_one_list_and_the_same_list_again_is_free(own: OwnDatabase) -> None:
    await save(own, replace(TENANT, status=TenantStatus.ACTIVE), "p0", role=Role.OWNER)
    wishes = [
        MemberWish(member_id=MemberID(f"p{n}"), role=Role.OWNER if n == 0 else Role.MEMBER, display_name=f"P {n}")
        for n in range(2000)
    ]
    began = time.monotonic()
    change = await replace_members(own)(ACME, wishes, confirm_plan=None, acting_user=PLATFORM_ACTOR)
    # generous, for a machine that does other things too: it is a second on one that does not
    assert time.monotonic() - began < 20
    assert len((await find(own)).members) == 2000
    rows = await own.ask("SELECT count(*) FROM audit_log WHERE tenant_id = $1", ACME)
    assert rows == 2000, "each person who came, and the owner whose name changed"
    again = await replace_members(own)(ACME, wishes, confirm_plan=None, acting_user=PLATFORM_ACTOR)
    assert again == change
    assert await own.ask("SELECT count(*) FROM audit_log WHERE tenant_id = $1", ACME) == rows


async def test_of_two_owners_who_are_removed_at_once_one_stays(own: OwnDatabase) -> None:
    remove = RemoveMember(database=own.database, house=HOUSE, entropy=ENTROPY)
    for number in range(5):
        tenant_id = TenantID(f"t{number}")
        await save(own, replace(TENANT, tenant_id=tenant_id, status=TenantStatus.ACTIVE), "ann", "bob", role=Role.OWNER)
        results = await asyncio.gather(
            *(remove(tenant_id, MemberID(who), acting_user=PLATFORM_ACTOR) for who in ("ann", "bob")),
            return_exceptions=True,
        )
        assert sum(isinstance(result, Conflict) for result in results) == 1
        assert len((await find(own, tenant_id)).members) == 1


async def test_two_tenants_that_bring_the_same_new_people_at_once_make_them_once(own: OwnDatabase) -> None:
    for tenant_id in (ACME, GLOBEX):
        await save(own, replace(TENANT, tenant_id=tenant_id, status=TenantStatus.ACTIVE))
    wishes = [MemberWish(member_id=MemberID(f"n{n}"), role=Role.MEMBER) for n in range(50)]
    await asyncio.gather(
        *(
            replace_members(own)(tenant_id, found, confirm_plan=None, acting_user=PLATFORM_ACTOR)
            for tenant_id, found in ((ACME, wishes), (GLOBEX, list(reversed(wishes))))
        )
    )
    ours, theirs = await find(own, ACME), await find(own, GLOBEX)
    assert [m.user_id for m in ours.members] == [m.user_id for m in theirs.members]
    assert await own.ask("SELECT count(*) FROM users") == 50


async def test_an_off_boarded_tenant_without_rooms_goes_through_all_its_states(own: OwnDatabase) -> None:
    await save(own, replace(TENANT, status=TenantStatus.ACTIVE, rooms=(), offboarded_at=None, removes_at=None), "ann")
    async with own.database.act(ACME, PLATFORM_ACTOR) as act:
        await act.keys.add(name="k", prefix="p", secret_sha256=b"x", scopes=["a"], room_keys=None, expires_at=None)
        act.nothing_changed()
    offboard = OffboardTenant(database=own.database, house=HOUSE, clock=SystemClock(), usual_days=30)
    _, tenant = await offboard(ACME, Offboarding(), acting_user=PLATFORM_ACTOR)
    assert tenant.status is TenantStatus.SUSPENDED
    sweep = RemoveOffboardedTenants(database=own.database, house=HOUSE, clock=SystemClock())
    assert await sweep() == 0
    await offboard(ACME, Offboarding(grace_days=0), acting_user=PLATFORM_ACTOR)
    assert await sweep() == 1
    gone = await find(own)
    assert (gone.status, gone.members) == (TenantStatus.REMOVED, ())
    assert await own.ask("SELECT count(*) FROM integration_keys WHERE revoked_at IS NULL") == 0
    actions = [row["action"] for row in await own.rows("SELECT entry::jsonb ->> 'action' AS action FROM audit_log")]
    assert actions == ["tenant.offboarded"] * 3 + ["tenant.removed"]


async def test_keys_are_listed_in_pages_though_one_is_revoked_meanwhile(own: OwnDatabase) -> None:
    await save(own, replace(TENANT, status=TenantStatus.ACTIVE))
    async with own.database.work(ACME) as work:
        keys = [
            await work.keys.add(
                name=str(n), prefix="p", secret_sha256=bytes([n]), scopes=["a"], room_keys=None, expires_at=None
            )
            for n in range(5)
        ]
    async with own.database.work(ACME) as work:
        first = await work.keys.list_valid(after=None, limit=2)
        await work.keys.revoke(first[-1].key_id)
        rest = await work.keys.list_valid(after=first[-1].key_id, limit=10)
        assert await work.keys.list_valid(after="unknown", limit=10) == []
    assert {key.key_id for key in (*first, *rest)} == {key.key_id for key in keys}
    async with own.database.work(GLOBEX) as work:
        assert await work.keys.list_valid(after=None, limit=10) == []
        assert await work.keys.revoke_all() == 0
    async with own.database.work(ACME) as work:
        assert await work.keys.revoke_all() == 4


async def test_a_member_of_a_suspended_tenant_who_comes_to_another_has_it_reconciled(own: OwnDatabase) -> None:
    await save(own, replace(TENANT, offboarded_at=None, removes_at=None), "bob")
    await save(own, replace(TENANT, tenant_id=GLOBEX, status=TenantStatus.ACTIVE))
    put = PutMember(database=own.database, house=HOUSE, entropy=ENTROPY)
    await put(GLOBEX, MemberID("bob"), role=Role.MEMBER, display_name=None, acting_user=PLATFORM_ACTOR)
    jobs = await own.rows("SELECT tenant_id FROM jobs WHERE state = 'queued' ORDER BY tenant_id")
    assert [job["tenant_id"] for job in jobs] == [ACME, GLOBEX]
