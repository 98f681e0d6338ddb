"""One room at a time, by the backend and by people: what is stored, audited, and refused."""

import pytest

from bridge.errors import BitnexusError, Conflict, Forbidden, NotFound
from bridge.model.change import RoomWish
from bridge.model.credential import PlatformCredential, SessionCredential
from bridge.model.ids import MemberID, RoomKey, TenantID
from bridge.model.tenant import Access, Room, RoomType, TenantStatus
from tests.unit.house import House
from tests.unit.people import ACME, GENERAL, GLOBEX, member, room, tenant_of, user

PLATFORM = PlatformCredential()
STAFF = (member("anna", "owner"), member("ada", "admin"), member("mo", "moderator"), member("ben"))


def session(name: str) -> SessionCredential:
    return SessionCredential(session_id="s", member_id=MemberID(name), user_id=user(name), device_id="D")


def house_of(status: TenantStatus = TenantStatus.ACTIVE) -> House:
    house = House()
    house.database.put_tenant(tenant_of(*STAFF, status=status))
    house.database.put_tenant(tenant_of(member("eve", "owner"), rooms=(room("secret"),), tenant_id=GLOBEX))
    return house


def rooms_of(house: House, tenant_id: TenantID = ACME) -> dict[str, Room]:
    return {found.key: found for found in house.database.memory.tenants[tenant_id].rooms}


def audited(house: House) -> list[tuple[str, str, str]]:
    return [(actor.id, entry.action, entry.target) for _, actor, entry in house.database.memory.audit]


async def test_an_admin_adds_changes_and_archives_a_room() -> None:
    house = house_of()
    actions, ada = house.actions(), session("ada")
    added = await actions.add_room(ACME, room("leads"), credential=ada)
    changed = await actions.change_room(ACME, RoomKey("leads"), RoomWish(group="Sales"), credential=ada)
    assert (added.revision, changed.revision) == (2, 3)
    assert list(rooms_of(house)) == ["general", "leads"], "a changed room keeps its place"
    assert rooms_of(house)["leads"].group == "Sales"
    await actions.archive_room(ACME, RoomKey("leads"), credential=ada)
    assert rooms_of(house)["leads"].archived
    assert audited(house) == [
        ("ada", "room.added", "leads"), ("ada", "room.changed", "leads"), ("ada", "room.archived", "leads"),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        await actions.archive_room(ACME, RoomKey("leads"), credential=ada)


async def test_what_changes_nothing_leaves_no_row_and_no_revision() -> None:
    house = house_of()
    actions = house.actions()
    general = rooms_of(house)["general"]
    same = await actions.add_room(ACME, general, credential=PLATFORM)
    again = await actions.change_room(ACME, GENERAL, RoomWish(name="General"), credential=PLATFORM)
    assert (same.revision, again.revision, audited(house)) == (1, 1, [])


async def test_a_room_that_is_there_is_not_overwritten() -> None:
    house = house_of()
    with pytest.raises(Conflict):
        await house.actions().add_room(ACME, room("general", topic="Another"), credential=session("anna"))


@pytest.mark.parametrize(
    ("who", "tenant_id", "error", "sentence"),
    [
        ("mo", ACME, Forbidden, "only owners and admins of this tenant may do this"),
        ("ben", ACME, Forbidden, "only owners and admins of this tenant may do this"),
        ("anna", GLOBEX, NotFound, "there is no such tenant"),
        ("anna", TenantID("absent"), NotFound, "there is no such tenant"),
        ("eve", ACME, NotFound, "there is no such tenant"),
    ],
)
async def test_row_18_rooms_are_changed_by_those_who_administer_the_tenant(
    who: str, tenant_id: TenantID, error: type[BitnexusError], sentence: str
) -> None:
    house = house_of()
    actions, credential = house.actions(), session(who)
    before = {key: rooms_of(house, key) for key in (ACME, GLOBEX)}
    for attempt in (
        actions.add_room(tenant_id, room("x"), credential=credential),
        actions.change_room(tenant_id, RoomKey("secret"), RoomWish(name="x"), credential=credential),
        actions.change_room(tenant_id, GENERAL, RoomWish(name="x"), credential=credential),
        actions.archive_room(tenant_id, RoomKey("secret"), credential=credential),
    ):
        with pytest.raises(error) as refused:
            await attempt
        assert refused.value.sentence == sentence
    assert {key: rooms_of(house, key) for key in (ACME, GLOBEX)} == before
    assert audited(house) == []


async def test_row_18_a_list_with_somebody_of_another_tenant_is_refused_as_a_whole() -> None:
    house = house_of()
    actions = house.actions()
    bodies = set()
    for stranger in ("eve", "absent"):
        listed = frozenset({MemberID("ben"), MemberID(stranger)})
        private = room("x", access=Access.INVITE, member_ids=listed)
        wish = RoomWish(access=Access.INVITE, member_ids=listed)
        for attempt in (
            actions.add_room(ACME, private, credential=session("anna")),
            actions.change_room(ACME, GENERAL, wish, credential=session("anna")),
        ):
            with pytest.raises(NotFound) as refused:
                await attempt
            bodies.add(str(refused.value.body).replace(stranger, "WHO"))
    assert len(bodies) == 1, "a foreign and an absent person are answered alike"
    assert list(rooms_of(house)) == ["general"]
    await actions.add_room(ACME, private, credential=PLATFORM)
    assert "x" in rooms_of(house), "the backend may list people before they are members"


async def test_people_of_a_suspended_tenant_change_nothing() -> None:
    house = house_of(TenantStatus.SUSPENDED)
    with pytest.raises(Forbidden):
        await house.actions().add_room(ACME, room("x"), credential=session("anna"))


async def test_a_persons_own_room_is_out_of_admins_reach() -> None:
    house = house_of()
    own = room("ai_ben", type=RoomType.AI, access=Access.INVITE, personal=True)
    house.database.put_tenant(tenant_of(*STAFF, rooms=(own,)))
    with pytest.raises(NotFound):
        await house.actions().archive_room(ACME, RoomKey("ai_ben"), credential=session("anna"))
