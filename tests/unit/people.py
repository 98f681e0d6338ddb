"""The house, the tenants and the people that the tests are told with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.model.ids import SPACE, MemberID, RoomID, RoomKey, TenantID, UserID, group_key
from bridge.model.room import Bots, Desired, MatrixHouse, Observed, ObservedMembership, ObservedPerson, ObservedRoom
from bridge.model.tenant import Member, Role, Room, RoomType, Tenant, TenantSettings, TenantStatus
from bridge.policy.layout import groups_of

SERVER = "s"
BOTS = Bots(
    creator=UserID("@bitnexus:s"),
    keeper=UserID("@bitnexus_keeper:s"),
    relay=UserID("@bitnexus_relay:s"),
    assistant=UserID("@bitnexus_nexushub:s"),
)
HOUSE = MatrixHouse(server_name=SERVER, room_version="12", bots=BOTS)
HOUSE_11 = MatrixHouse(server_name=SERVER, room_version="11", bots=BOTS)

ACME = TenantID("acme")
GLOBEX = TenantID("globex")
GENERAL = RoomKey("general")


def user(name: str) -> UserID:
    """Return a person's Matrix id; a name that begins with ``@`` is a bot's."""
    return UserID(f"{name}:{SERVER}" if name.startswith("@") else f"@u_{name}:{SERVER}")


def room_id(key: str, tenant_id: TenantID = ACME) -> RoomID:
    """Return the id that a tenant's room has once it stands: Acme's ``general`` is ``!general``."""
    return RoomID(f"!{key}" if tenant_id == ACME else f"!{tenant_id}/{key}")


def member(name: str, role: str = "member", *, active: bool = True, display_name: str | None = None) -> Member:
    return Member(
        member_id=MemberID(name),
        user_id=user(name),
        role=Role(role),
        display_name=display_name or name.capitalize(),
        active=active,
    )


def room(key: str, **more: Any) -> Room:
    """Return a room of the type ``custom``, named after its key, unless ``more`` says otherwise."""
    return replace(Room(key=RoomKey(key), type=RoomType.CUSTOM, name=key.capitalize()), **more)


def tenant_of(
    *members: Member,
    rooms: tuple[Room, ...] = (Room(key=GENERAL, type=RoomType.GENERAL, name="General"),),
    tenant_id: TenantID = ACME,
    status: TenantStatus = TenantStatus.ACTIVE,
    name: str = "Acme",
) -> Tenant:
    return Tenant(
        tenant_id=tenant_id,
        name=name,
        status=status,
        settings=TenantSettings(),
        revision=1,
        rooms=rooms,
        members=members,
    )


def room_ids_of(tenant: Tenant) -> Mapping[RoomKey, RoomID]:
    """Return ids for the space, each group and each room of a tenant, as if all of them stood."""
    groups = (group_key(name) for name in groups_of(tenant))
    return {key: room_id(key, tenant.tenant_id) for key in (SPACE, *groups, *(room.key for room in tenant.rooms))}


def stand(desired: Desired, room_ids: Mapping[RoomKey, RoomID]) -> Observed:
    """Return Matrix exactly as it is desired."""
    return Observed(
        rooms={
            key: ObservedRoom(
                room_id=room_ids[key],
                key=key,
                state=dict(room.state),
                members={
                    user_id: ObservedMembership(membership="join", sender=user_id)
                    for user_id in room.people | (frozenset[UserID]() if room.without_bots else room.bots)
                },
            )
            for key, room in desired.rooms.items()
        },
        people={
            user_id: ObservedPerson(registered=True, profile_name=name, profile_avatar=desired.avatars.get(user_id, ""))
            for user_id, name in desired.people.items()
        },
    )
