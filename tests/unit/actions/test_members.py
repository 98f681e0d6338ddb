"""Members: whole lists with their guard, last owners, roles given by people; each change audited, all or nothing."""

from collections.abc import Sequence

import pytest

from bridge.actions.replace_members import TooManyRemovals
from bridge.errors import BitnexusError, Conflict, Forbidden, InvalidInput, NotFound
from bridge.model.audit import PLATFORM_ACTOR
from bridge.model.change import MemberWish
from bridge.model.credential import PlatformCredential, SessionCredential
from bridge.model.effect import JoinUser, RemoveUser
from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, MemberID, RoomID, TenantID, UserID
from bridge.model.tenant import Role, TenantStatus
from tests.unit.house import House
from tests.unit.people import ACME, GENERAL, GLOBEX, member, tenant_of, user

PLATFORM = PlatformCredential()
CROWD = tuple(member(f"p{n}") for n in range(9))


def wish(name: str, role: str = "member", display_name: str | None = None) -> MemberWish:
    return MemberWish(member_id=MemberID(name), role=Role(role), display_name=display_name)


STAYING = tuple(wish(f"p{n}") for n in range(9))


def session(name: str) -> SessionCredential:
    return SessionCredential(session_id="s", member_id=MemberID(name), user_id=user(name), device_id="D")


def audited(house: House) -> list[tuple[str, str]]:
    return [(entry.action, entry.target) for _, _, entry in house.database.memory.audit]


def roles(house: House, tenant_id: TenantID = ACME) -> dict[str, str]:
    return {who: role.value for who, role in house.database.memory.memberships[tenant_id].items()}


async def put(house: House, wishes: Sequence[MemberWish], confirm: str | None = None, tenant_id: TenantID = ACME):
    return await house.actions().replace_members(tenant_id, wishes, confirm_plan=confirm, acting_user=PLATFORM_ACTOR)


def house_of(*members, status: TenantStatus = TenantStatus.ACTIVE) -> House:
    house = House()
    house.database.put_tenant(tenant_of(*members, status=status))
    return house


async def test_a_whole_list_is_one_change_with_a_row_for_each_person() -> None:
    house = house_of(member("anna", "owner"), member("ben"), member("carl", "moderator"), *CROWD[:2])
    change = await put(house, [wish("anna", "owner"), wish("carl"), wish("dana", "guest", "Dana"), *STAYING[:2]])
    assert roles(house) == {"anna": "owner", "carl": "member", "dana": "guest", "p0": "member", "p1": "member"}
    assert change.revision == 2
    assert change.job_id == "job-1"
    assert audited(house) == [("member.changed", "carl"), ("member.added", "dana"), ("member.removed", "ben")]
    assert house.database.memory.people[MemberID("dana")].display_name == "Dana"
    assert house.database.memory.people[MemberID("ben")].user_id == user("ben"), "the person stays a person"


async def test_the_same_list_again_changes_nothing() -> None:
    house = house_of(member("anna", "owner"))
    wishes = [wish("anna", "owner"), wish("dana")]
    first = await put(house, wishes)
    assert await put(house, wishes) == first
    assert len(audited(house)) == 1


@pytest.mark.parametrize("wishes", [[], [wish("anna", "owner"), wish("ben"), wish("anna", "owner")]])
async def test_row_36_an_empty_list_and_one_with_somebody_twice_are_refused(wishes: list[MemberWish]) -> None:
    house = house_of(member("anna", "owner"), member("ben"))
    with pytest.raises(InvalidInput):
        await put(house, wishes)
    assert roles(house) == {"anna": "owner", "ben": "member"}


async def test_row_36_a_truncated_list_is_refused_with_its_plan_and_undoes_everything() -> None:
    house = house_of(member("anna", "owner"), *CROWD)
    house.database.put_room(ACME, RoomID("!general"), GENERAL)
    with pytest.raises(TooManyRemovals) as refused:
        await put(house, [wish("anna", "owner"), wish("p0", "admin"), wish("new", display_name="New")])
    assert "8 of 10" in refused.value.sentence
    plan = refused.value.plan
    assert any(isinstance(effect, JoinUser) for effect in plan.effects), "it shows what would follow"
    assert refused.value.names[user("p0")] == "p0"
    assert (len(roles(house)), roles(house)["p0"]) == (10, "member")
    assert "new" not in house.database.memory.people
    assert audited(house) == []
    assert house.database.memory.jobs == {}


async def test_row_36_the_plans_hash_confirms_that_list_and_no_other() -> None:
    house = house_of(member("anna", "owner"), *CROWD)
    wishes = [wish("anna", "owner"), wish("p0")]
    with pytest.raises(TooManyRemovals) as refused:
        await put(house, wishes)
    digest = refused.value.plan.hash
    for other in ([wish("anna", "owner"), wish("p1")], [wish("anna", "owner")], [*wishes, wish("new")]):
        with pytest.raises(TooManyRemovals):
            await put(house, other, digest)
    with pytest.raises(TooManyRemovals):
        await put(house, wishes, "0" * 64)
    await put(house, wishes, digest)
    assert roles(house).keys() == {"anna", "p0"}


async def test_a_confirmation_ends_when_the_tenant_has_changed() -> None:
    house = house_of(member("anna", "owner"), *CROWD)
    wishes = [wish("anna", "owner")]
    with pytest.raises(TooManyRemovals) as refused:
        await put(house, wishes)
    await house.actions().put_member(
        ACME, MemberID("late"), role=Role.MEMBER, display_name=None, acting_user=PLATFORM_ACTOR
    )
    with pytest.raises(TooManyRemovals):
        await put(house, wishes, refused.value.plan.hash)
    assert "late" in roles(house), "nobody is removed whom the plan did not show"


async def test_a_refused_plan_shows_who_leaves_which_room() -> None:
    house = house_of(member("anna", "owner"), *CROWD)
    house.database.put_room(ACME, RoomID("!general"), GENERAL)
    for found in CROWD:
        house.database.memory.state[RoomID("!general"), "m.room.member", found.user_id] = joined(found.user_id)
    with pytest.raises(TooManyRemovals) as refused:
        await put(house, [wish("anna", "owner"), wish("p0")])
    removals = [effect for effect in refused.value.plan.effects if isinstance(effect, RemoveUser)]
    assert {(effect.room_id, effect.user_id) for effect in removals} == {
        ("!general", user(f"p{n}")) for n in range(1, 9)
    }


def joined(user_id: UserID) -> MatrixEvent:
    return MatrixEvent(
        event_id=EventID(f"${user_id}"),
        room_id=RoomID("!general"),
        event_type="m.room.member",
        sender=user_id,
        content={"membership": "join"},
        origin_server_ts=1,
        state_key=user_id,
    )


LAST_OWNER = "a tenant cannot lose its last owner; make somebody else an owner first"


async def test_the_last_owner_stays_by_every_way() -> None:
    house = house_of(member("anna", "owner"), member("ben", "admin"))
    actions, anna = house.actions(), MemberID("anna")
    for attempt in (
        actions.remove_member(ACME, anna, acting_user=PLATFORM_ACTOR),
        actions.put_member(ACME, anna, role=Role.ADMIN, display_name=None, acting_user=PLATFORM_ACTOR),
        actions.change_role(ACME, anna, role=Role.MEMBER, credential=PLATFORM),
        actions.change_role(ACME, anna, role=Role.MEMBER, credential=session("anna")),
        put(house, [wish("ben", "admin")]),
        put(house, [wish("anna", "admin"), wish("ben", "admin")]),
    ):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert refused.value.sentence == LAST_OWNER
    assert roles(house) == {"anna": "owner", "ben": "admin"}
    await actions.change_role(ACME, MemberID("ben"), role=Role.OWNER, credential=session("anna"))
    await actions.change_role(ACME, anna, role=Role.MEMBER, credential=session("ben"))
    assert roles(house) == {"anna": "member", "ben": "owner"}


@pytest.mark.parametrize(
    ("who", "whom", "role", "error"),
    [
        ("anna", "mo", Role.OWNER, None),
        ("ada", "ben", Role.MODERATOR, None),
        ("ada", "mo", Role.GUEST, None),
        ("ada", "ben", Role.ADMIN, Forbidden),
        ("ada", "ada", Role.MEMBER, Forbidden),
        ("ada", "anna", Role.MEMBER, Forbidden),
        ("mo", "ben", Role.GUEST, Forbidden),
        ("ben", "ben", Role.OWNER, Forbidden),
        ("ada", "eve", Role.MEMBER, NotFound),  # of another tenant
        ("ada", "absent", Role.MEMBER, NotFound),
        ("eve", "ben", Role.MEMBER, NotFound),
        ("absent", "ben", Role.MEMBER, NotFound),
    ],
)
async def test_row_18_roles_are_given_by_those_above(
    who: str, whom: str, role: Role, error: type[BitnexusError] | None
) -> None:
    house = house_of(member("anna", "owner"), member("ada", "admin"), member("mo", "moderator"), member("ben"))
    house.database.put_tenant(tenant_of(member("eve", "owner"), tenant_id=GLOBEX))
    before = roles(house)
    attempt = house.actions().change_role(ACME, MemberID(whom), role=role, credential=session(who))
    if error is None:
        await attempt
        assert roles(house)[whom] == role.value
        (_, actor, entry) = house.database.memory.audit[-1]
        assert (actor.kind, actor.id, entry.action) == ("person", who, "member.changed")
        return
    with pytest.raises(error):
        await attempt
    assert roles(house) == before
    assert audited(house) == []


async def test_a_foreign_tenant_a_foreign_person_and_absent_ones_are_answered_alike() -> None:
    house = house_of(member("anna", "owner"))
    house.database.put_tenant(tenant_of(member("eve", "owner"), tenant_id=GLOBEX))
    change_role = house.actions().change_role

    async def refusal(tenant_id: str, whom: str) -> str:
        with pytest.raises(NotFound) as refused:
            await change_role(TenantID(tenant_id), MemberID(whom), role=Role.MEMBER, credential=session("anna"))
        return str(refused.value.body)

    assert await refusal(GLOBEX, "eve") == await refusal("absent", "eve")
    assert await refusal(ACME, "eve") == await refusal(ACME, "absent")


async def test_a_demoted_admin_administers_nothing_from_the_next_request_on() -> None:
    house = house_of(member("anna", "owner"), member("ada", "admin"), member("ben"))
    change_role = house.actions().change_role
    await change_role(ACME, MemberID("ada"), role=Role.MEMBER, credential=session("anna"))
    with pytest.raises(Forbidden):
        await change_role(ACME, MemberID("ben"), role=Role.GUEST, credential=session("ada"))


async def test_nobody_administers_a_suspended_tenant_but_the_backend() -> None:
    house = house_of(member("anna", "owner"), member("ben"), status=TenantStatus.SUSPENDED)
    with pytest.raises(Forbidden):
        await house.actions().change_role(ACME, MemberID("ben"), role=Role.ADMIN, credential=session("anna"))
    await house.actions().change_role(ACME, MemberID("ben"), role=Role.ADMIN, credential=PLATFORM)
    assert roles(house)["ben"] == "admin"


async def test_a_suspended_tenant_follows_when_its_people_come_to_another_or_leave_it() -> None:
    house = House()
    house.database.put_tenant(tenant_of(member("ben"), status=TenantStatus.SUSPENDED))
    house.database.put_tenant(tenant_of(member("eve", "owner"), tenant_id=GLOBEX))
    ben = MemberID("ben")
    await house.actions().put_member(GLOBEX, ben, role=Role.MEMBER, display_name=None, acting_user=PLATFORM_ACTOR)
    tenant = await house.actions().show_tenant(ACME)
    assert tenant.members[0].has_other_active_tenant
    assert {job.tenant_id for job in house.database.memory.jobs.values()} == {GLOBEX, ACME}
    house.database.memory.jobs.clear()
    await house.actions().remove_member(GLOBEX, ben, acting_user=PLATFORM_ACTOR)
    assert {job.tenant_id for job in house.database.memory.jobs.values()} == {GLOBEX, ACME}
