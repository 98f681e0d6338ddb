"""Lay out a tenant: which rooms stand in Matrix, with which state and whom (contract: section 3)."""

from collections.abc import Mapping

from bridge.model.effect import CreateRoom, pending_room_id
from bridge.model.ids import SPACE, RoomID, RoomKey
from bridge.model.json import JsonObject
from bridge.model.room import Desired, DesiredRoom, MatrixHouse, StateKey
from bridge.model.tenant import Access, Room, Tenant
from bridge.policy.membership import active_members, bots_of_room, people_of_room, people_of_space
from bridge.policy.power_levels import power_levels

ROOM_MARKER = "com.bitnexus.room"
CREATION_TENANT = "com.bitnexus.tenant_id"
CREATION_KEY = "com.bitnexus.key"


def lay_out(tenant: Tenant, house: MatrixHouse, room_ids: Mapping[RoomKey, RoomID]) -> Desired:
    """Return what shall stand in Matrix for a tenant; ``room_ids`` are those of rooms that exist."""
    ids = {room.key: room_ids.get(room.key, pending_room_id(room.key)) for room in tenant.rooms}
    ids[SPACE] = room_ids.get(SPACE, pending_room_id(SPACE))
    rooms = {SPACE: _space(tenant, house, ids)}
    # an archived room that was never made needs no making
    wanted = (room for room in tenant.rooms if not room.archived or room.key in room_ids)
    rooms |= {room.key: _room(tenant, room, house, ids[SPACE]) for room in wanted}
    return Desired(
        tenant_id=tenant.tenant_id,
        rooms=rooms,
        people={member.user_id: member.display_name for member in active_members(tenant)},
    )


def _space(tenant: Tenant, house: MatrixHouse, ids: Mapping[RoomKey, RoomID]) -> DesiredRoom:
    # a personal room stands in its person's list, not in the space that everybody reads
    listed = [room for room in tenant.rooms if not room.personal and not room.archived]
    children: dict[StateKey, JsonObject] = {
        ("m.space.child", ids[room.key]): {"via": [house.server_name], "order": f"{position:04d}"}
        for position, room in enumerate(listed)
    }
    state: dict[StateKey, JsonObject] = {
        ("m.room.name", ""): {"name": tenant.name},
        ("m.room.join_rules", ""): {"join_rule": "invite"},
        ("m.room.history_visibility", ""): {"history_visibility": "shared"},
        ("m.room.guest_access", ""): {"guest_access": "forbidden"},
        ("m.room.power_levels", ""): power_levels(house, None, active_members(tenant)),
        (ROOM_MARKER, ""): {"tenant_id": tenant.tenant_id, "key": SPACE, "type": "space"},
    }
    return DesiredRoom(
        key=SPACE,
        creation_content=_creation_content(tenant, SPACE, house) | {"type": "m.space"},
        state=state | children,
        bots=house.bots.creators,
        people=people_of_space(tenant),
    )


def _room(tenant: Tenant, room: Room, house: MatrixHouse, space_id: RoomID) -> DesiredRoom:
    people = people_of_room(tenant, room)
    staff = (member for member in active_members(tenant) if member.user_id in people)
    state: dict[StateKey, JsonObject] = {
        ("m.room.name", ""): {"name": room.name},
        ("m.room.topic", ""): {"topic": room.topic},
        ("m.room.join_rules", ""): _join_rules(room, space_id),
        ("m.room.history_visibility", ""): {"history_visibility": _history_visibility(room)},
        ("m.room.guest_access", ""): {"guest_access": "forbidden"},
        ("m.room.power_levels", ""): power_levels(house, room.type, staff),
        ("m.space.parent", space_id): {"via": [house.server_name], "canonical": True},
        (ROOM_MARKER, ""): {
            "tenant_id": tenant.tenant_id,
            "key": room.key,
            "type": room.type.value,
            "space_id": space_id,
        },
    }
    return DesiredRoom(
        key=room.key,
        creation_content=_creation_content(tenant, room.key, house),
        state=state,
        bots=bots_of_room(house.bots, room),
        people=people,
        archived=room.archived,
        takes_back=room.personal or (room.access is Access.TENANT and not room.optional),
    )


def _creation_content(tenant: Tenant, key: RoomKey, house: MatrixHouse) -> dict[str, str | bool | list[str]]:
    """Name the room as ours at birth, so that one whose creation we did not see answered is found again."""
    content: dict[str, str | bool | list[str]] = {
        "m.federate": False,
        CREATION_TENANT: tenant.tenant_id,
        CREATION_KEY: key,
    }
    if house.room_version == "12":
        content["additional_creators"] = [house.bots.keeper]
    return content


def _join_rules(room: Room, space_id: RoomID) -> JsonObject:
    if room.access is Access.INVITE or room.archived:
        return {"join_rule": "invite"}
    return {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space_id}]}


def _history_visibility(room: Room) -> str:
    return "shared" if room.access is Access.TENANT else "invited"


def room_type_of(effect: CreateRoom) -> str:
    """Return the type that a room is created with: ``space``, or that of a RoomType."""
    marker = next(content for kind, _, content in effect.state if kind == ROOM_MARKER)
    return str(marker["type"])
