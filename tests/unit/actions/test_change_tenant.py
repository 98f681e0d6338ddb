"""Changes of desired state: idempotent, audited in the same transaction, followed by a reconcile when there is need."""

import pytest

from bridge.actions.open_ai_room import ai_room_key
from bridge.errors import Conflict, Forbidden, InvalidInput, NotFound
from bridge.model.audit import PLATFORM_ACTOR
from bridge.model.change import TenantWish
from bridge.model.credential import SessionCredential
from bridge.model.ids import PLATFORM, MemberID, RoomKey
from bridge.model.tenant import Role, Room, RoomType, TenantSettings, TenantStatus
from tests.unit.house import House
from tests.unit.people import ACME, GENERAL, member, tenant_of, user

BEN = MemberID("ben")
WISH = TenantWish(name="Acme", rooms=(Room(key=GENERAL, type=RoomType.GENERAL, name="General"),))


def audited(house: House) -> list[tuple[str, str]]:
    return [(entry.action, entry.target) for _, _, entry in house.database.memory.audit]


async def test_an_upsert_is_stored_audited_and_reconciled() -> None:
    house = House()
    change = await house.actions().upsert_tenant(ACME, WISH, acting_user=PLATFORM_ACTOR)
    assert (change.revision, change.job_id) == (1, "job-1")
    assert audited(house) == [("tenant.created", "acme")]
    assert house.database.locked == [ACME]


async def test_the_same_upsert_again_changes_nothing_and_leaves_no_row() -> None:
    house = House()
    first = await house.actions().upsert_tenant(ACME, WISH, acting_user=PLATFORM_ACTOR)
    second = await house.actions().upsert_tenant(ACME, WISH, acting_user=PLATFORM_ACTOR)
    assert second == first, "the same job still waits"
    assert len(audited(house)) == 1


async def test_a_wish_that_is_refused_changes_nothing() -> None:
    house = House()
    bad = TenantWish(name="Acme", rooms=(Room(key=GENERAL, type=RoomType.DM, name="x"),))
    with pytest.raises(InvalidInput):
        await house.actions().upsert_tenant(ACME, bad, acting_user=PLATFORM_ACTOR)
    assert house.database.memory.tenants == {}


async def test_a_person_becomes_a_member_with_an_opaque_id() -> None:
    house = House()
    actions = house.actions()
    await actions.upsert_tenant(ACME, WISH, acting_user=PLATFORM_ACTOR)
    change = await actions.put_member(ACME, BEN, role=Role.MEMBER, display_name="Ben", acting_user=PLATFORM_ACTOR)
    person = house.database.memory.people[BEN]
    assert (change.revision, person.user_id, person.display_name) == (2, "@u_made1:s", "Ben")
    _, _, entry = house.database.memory.audit[-1]
    assert (entry.action, entry.personal) == ("member.added", {"display_name": "Ben"})
    assert "Ben" not in str(entry.details), "personal words stand in what an erasure can take away"
    again = await actions.put_member(ACME, BEN, role=Role.MEMBER, display_name="Ben", acting_user=PLATFORM_ACTOR)
    assert again.revision == 2
    assert len(audited(house)) == 2


async def test_a_role_a_name_and_a_leave_are_changes() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    actions = house.actions()
    await actions.put_member(ACME, BEN, role=Role.ADMIN, display_name=None, acting_user=PLATFORM_ACTOR)
    await actions.put_member(ACME, BEN, role=Role.ADMIN, display_name="Benedict", acting_user=PLATFORM_ACTOR)
    change = await actions.remove_member(ACME, BEN, acting_user=PLATFORM_ACTOR)
    assert change.revision == 4
    assert audited(house) == [("member.changed", BEN), ("member.changed", BEN), ("member.removed", BEN)]
    with pytest.raises(NotFound):
        await actions.remove_member(ACME, BEN, acting_user=PLATFORM_ACTOR)
    assert house.database.memory.people[BEN].user_id == user("ben"), "the person keeps their id"


async def test_a_tenant_that_is_not_there_has_no_members() -> None:
    house = House()
    for attempt in (
        house.actions().put_member(ACME, BEN, role=Role.MEMBER, display_name=None, acting_user=PLATFORM_ACTOR),
        house.actions().remove_member(ACME, BEN, acting_user=PLATFORM_ACTOR),
        house.actions().show_tenant(ACME),
        house.actions().plan_tenant(ACME),
        house.actions().request_reconcile(ACME),
    ):
        with pytest.raises(NotFound) as refused:
            await attempt
        assert refused.value.sentence == "there is no such tenant"
    assert house.database.memory.people == {}, "nothing half done"


async def test_a_suspended_person_is_reconciled_out_of_their_tenants() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    person = await house.actions().put_person(
        BEN, display_name=None, super_admin=None, active=False, acting_user=PLATFORM_ACTOR
    )
    assert (person.active, person.display_name) == (False, "Ben")
    assert [(tenant_id, entry.action) for tenant_id, _, entry in house.database.memory.audit] == [
        (PLATFORM, "person.changed")
    ]
    tasks = [task.kind for _, task in house.database.memory.person_tasks]
    assert tasks == ["standing", "standing", "log_out", "tenants"], "which asks every tenant for a reconcile"


def session(name: str) -> SessionCredential:
    return SessionCredential(session_id="s", member_id=MemberID(name), user_id=user(name), device_id="D")


async def test_ones_own_room_with_the_assistant_is_made_once() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    key, room_id, change = await house.actions().open_ai_room(ACME, credential=session("ben"))
    assert (key, room_id, change.job_id) == (ai_room_key(BEN, "NexusHub"), None, "job-1")
    assert (await house.actions().open_ai_room(ACME, credential=session("ben")))[0] == key
    rooms = [room for room in house.database.memory.tenants[ACME].rooms if room.type is RoomType.AI]
    assert [(room.name, room.personal, room.member_ids) for room in rooms] == [("NexusHub", True, frozenset({BEN}))]
    assert audited(house) == [("ai_room.opened", BEN)]


async def test_a_foreign_and_an_absent_tenant_give_no_room_and_one_answer() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("anna")))
    for tenant_id in (ACME, "absent"):
        with pytest.raises(NotFound) as refused:
            await house.actions().open_ai_room(tenant_id, credential=session("ben"))
        assert refused.value.sentence == "there is no such tenant"


async def test_a_tenant_without_the_assistant_gives_no_room() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    wish = TenantWish(name="Acme", settings=TenantSettings(ai=False))
    await house.actions().upsert_tenant(ACME, wish, acting_user=PLATFORM_ACTOR)
    with pytest.raises(Forbidden):
        await house.actions().open_ai_room(ACME, credential=session("ben"))


async def test_a_suspended_tenant_gives_no_room() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben"), status=TenantStatus.SUSPENDED))
    with pytest.raises((NotFound, Forbidden, Conflict)):
        await house.actions().open_ai_room(ACME, credential=session("ben"))


def test_no_two_people_share_a_room_key() -> None:
    keys = {ai_room_key(MemberID(name), bot) for name in ("ben", "bena", "a" * 64) for bot in ("NexusHub", "aNexusHub")}
    assert len(keys) == 6
    assert all(len(key) <= 64 for key in keys)


async def test_a_keys_secret_is_shown_once_and_kept_as_a_digest() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    actions = house.actions()
    key, secret = await actions.create_integration_key(
        ACME, name="n8n", scopes=("events:write",), room_keys=(GENERAL,), expires_at=None, acting_user=PLATFORM_ACTOR
    )
    assert secret.startswith("bxi_")
    assert secret not in str(house.database.memory)
    assert list(await actions.list_integration_keys(ACME, after=None, limit=10)) == [key]
    await actions.revoke_integration_key(ACME, key.key_id, acting_user=PLATFORM_ACTOR)
    assert list(await actions.list_integration_keys(ACME, after=None, limit=10)) == []
    with pytest.raises(NotFound):
        await actions.revoke_integration_key(ACME, key.key_id, acting_user=PLATFORM_ACTOR)
    assert [action for action, _ in audited(house)] == ["integration_key.created", "integration_key.revoked"]


async def test_a_key_for_a_room_that_is_not_there_is_not_made() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    with pytest.raises(NotFound) as refused:
        await house.actions().create_integration_key(
            ACME,
            name="n8n",
            scopes=("events:write",),
            room_keys=(GENERAL, RoomKey("nowhere")),
            expires_at=None,
            acting_user=PLATFORM_ACTOR,
        )
    assert refused.value.details["path"] == "$.rooms[1]"
    assert house.database.memory.keys == {}


async def test_a_plan_is_shown_and_makes_nothing() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben")))
    plan, names = await house.actions().plan_tenant(ACME)
    assert (plan.create, plan.change, plan.remove) == (5, 2, 0), (
        "an account, a space, a room, two joins; a name, a link"
    )
    assert names == {user("ben"): BEN}
    assert house.database.memory.jobs == {}
    assert house.homeserver.matrix.requests == []
