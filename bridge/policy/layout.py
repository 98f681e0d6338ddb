"""Lay out a tenant: which rooms stand in Matrix, with which state and whom (contract: section 3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.model.effect import CreateRoom, pending_room_id
from bridge.model.ids import SPACE, RoomID, RoomKey, group_key, group_of_key
from bridge.model.json import Json, JsonObject
from bridge.model.room import Desired, DesiredRoom, MatrixHouse, StateKey
from bridge.model.tenant import Access, Audience, Member, Outsider, Room, RoomType, Tenant, TenantStatus
from bridge.policy.membership import (
    active_members,
    bots_of_room,
    is_open_direct_chat,
    outsiders_of_room,
    people_of_room,
    people_of_space,
)
from bridge.policy.power_levels import closed_ticket_levels, power_levels
from bridge.policy.templates import TEMPLATES

ROOM_MARKER = "com.bitnexus.room"
CREATION_TENANT = "com.bitnexus.tenant_id"
CREATION_KEY = "com.bitnexus.key"

_SPACE_TYPE, _GROUP_TYPE = "space", "group"
# nothing is made any more for these
_GONE = frozenset({TenantStatus.REMOVING, TenantStatus.REMOVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What every room of a tenant is laid out from; ``ids`` has all its rooms, those that do not stand yet too."""

    tenant: Tenant
    house: MatrixHouse
    ids: Mapping[RoomKey, RoomID]

    @property
    def via(self) -> list[str]:
        return [self.house.server_name]


def lay_out(tenant: Tenant, house: MatrixHouse, room_ids: Mapping[RoomKey, RoomID]) -> Desired:
    """Return what shall stand in Matrix for a tenant; ``room_ids`` are those of rooms that exist."""
    groups = groups_of(tenant)
    keys = (SPACE, *(group_key(name) for name in groups), *(room.key for room in tenant.rooms))
    ids = {key: room_ids.get(key, pending_room_id(key)) for key in keys}
    ground = _Ground(tenant=tenant, house=house, ids=ids)
    rooms = {SPACE: _space(ground)}
    rooms |= {group_key(name): _group(ground, name, archived=False) for name in groups}
    left = (name for key in room_ids if (name := group_of_key(key)) is not None and name not in groups)
    rooms |= {group_key(name): _group(ground, name, archived=True) for name in left}
    # an archived room that was never made needs no making
    wanted = (room for room in tenant.rooms if not room.archived or room.key in room_ids)
    rooms |= {room.key: _room(ground, room) for room in wanted}
    if tenant.status in _GONE and not room_ids:
        rooms = {}
    outsiders = [outsider for room in tenant.rooms for outsider in outsiders_of_room(tenant, room)]
    people: list[Member | Outsider] = [*outsiders, *active_members(tenant)]
    return Desired(
        tenant_id=tenant.tenant_id,
        rooms=rooms,
        people={person.user_id: person.display_name for person in people},
        avatars={person.user_id: person.avatar_url for person in people if person.avatar_url},
    )


def groups_of(tenant: Tenant) -> tuple[str, ...]:
    """Return the groups in use, in the order of their first rooms."""
    return tuple(dict.fromkeys(room.group for room in _listed(tenant) if room.group))


def type_of_key(tenant: Tenant, key: RoomKey) -> str | None:
    """Return what the room of this key is for: a RoomType, ``space`` or ``group``; None when the tenant has no such."""
    if key == SPACE:
        return _SPACE_TYPE
    if group_of_key(key) is not None:
        return _GROUP_TYPE
    return next((room.type.value for room in tenant.rooms if room.key == key), None)


def room_type_of(effect: CreateRoom) -> str:
    """Return the type that a room is created with: a RoomType, ``space`` or ``group``."""
    marker = next(content for kind, _, content in effect.state if kind == ROOM_MARKER)
    return str(marker["type"])


def _listed(tenant: Tenant) -> list[Room]:
    # a personal room stands in its person's list, not in the space that everybody reads
    return [room for room in tenant.rooms if not room.personal and not room.archived]


def _space(ground: _Ground) -> DesiredRoom:
    tenant = ground.tenant
    state: dict[StateKey, JsonObject] = {
        **_common_state(tenant.name, tenant.avatar_url),
        ("m.room.join_rules", ""): {"join_rule": "invite"},
        ("m.room.history_visibility", ""): {"history_visibility": "shared"},
        ("m.room.power_levels", ""): power_levels(ground.house, None, active_members(tenant)),
        (ROOM_MARKER, ""): {"tenant_id": tenant.tenant_id, "key": SPACE, "type": _SPACE_TYPE},
    }
    return DesiredRoom(
        key=SPACE,
        creation_content=_creation_content(ground, SPACE) | {"type": "m.space"},
        state=state | _children(ground, group=""),
        bots=ground.house.bots.creators,
        people=people_of_space(tenant),
    )


def _group(ground: _Ground, name: str, *, archived: bool) -> DesiredRoom:
    """Return a sub-space: a room of the tenant like others to the Synapse module, in which nobody but us posts."""
    tenant, key = ground.tenant, group_key(name)
    state: dict[StateKey, JsonObject] = {
        **_common_state(name, ""),
        ("m.room.join_rules", ""): _join_rules(ground, is_closed=archived),
        ("m.room.history_visibility", ""): {"history_visibility": "shared"},
        ("m.room.power_levels", ""): power_levels(ground.house, None, () if archived else active_members(tenant)),
        **_place(ground, SPACE),
        (ROOM_MARKER, ""): _marker(ground, key, _GROUP_TYPE),
    }
    return DesiredRoom(
        key=key,
        creation_content=_creation_content(ground, key) | {"type": "m.space"},
        state=state if archived else state | _children(ground, group=name),
        bots=ground.house.bots.creators,
        people=frozenset() if archived else people_of_space(tenant),
        archived=archived,
    )


def _direct_chat(ground: _Ground, room: Room) -> DesiredRoom:
    """Return a direct chat: without name and place, so that clients name it after the other person."""
    is_open = is_open_direct_chat(ground.tenant, room)
    state: dict[StateKey, JsonObject] = {
        ("m.room.guest_access", ""): {"guest_access": "forbidden"},
        ("m.room.join_rules", ""): {"join_rule": "invite"},
        ("m.room.history_visibility", ""): {"history_visibility": _history_visibility(room)},
        ("m.room.power_levels", ""): power_levels(ground.house, room.type, (), is_read_only=not is_open),
        (ROOM_MARKER, ""): _marker(ground, room.key, room.type.value),
    }
    return DesiredRoom(
        key=room.key,
        creation_content=_creation_content(ground, room.key),
        state=state,
        bots=bots_of_room(ground.house.bots, room),
        people=people_of_room(ground.tenant, room),
        archived=room.archived,
        is_direct=True,
        without_bots=is_open,
    )


def _room(ground: _Ground, room: Room) -> DesiredRoom:
    if room.type is RoomType.DM:
        return _direct_chat(ground, room)
    people = people_of_room(ground.tenant, room)
    # whoever asks BitNexus has no power over its staff
    has_staff = TEMPLATES[room.type].has_staff and room.audience is not Audience.BITNEXUS
    staff = (member for member in active_members(ground.tenant) if has_staff and member.user_id in people)
    is_grouped = room.group and not room.archived and not room.personal
    state: dict[StateKey, JsonObject] = {
        **_common_state(room.name, room.avatar_url),
        ("m.room.topic", ""): {"topic": room.topic},
        ("m.room.join_rules", ""): _join_rules(ground, is_closed=room.access is Access.INVITE or room.archived),
        ("m.room.history_visibility", ""): {"history_visibility": _history_visibility(room)},
        ("m.room.power_levels", ""): _power_levels(ground, room, staff),
        **({} if _is_shared(room) else _place(ground, group_key(room.group) if is_grouped else SPACE)),
        (ROOM_MARKER, ""): {**_marker(ground, room.key, room.type.value), **_admission(ground.tenant, room)},
    }
    return DesiredRoom(
        key=room.key,
        creation_content=_creation_content(ground, room.key),
        state=state,
        bots=bots_of_room(ground.house.bots, room),
        people=people,
        archived=room.archived,
        takes_back=room.personal or (room.access is Access.TENANT and not room.optional),
    )


def _power_levels(ground: _Ground, room: Room, staff: Iterable[Member]) -> JsonObject:
    levels = power_levels(ground.house, room.type, staff, is_read_only=room.read_only)
    return closed_ticket_levels(levels) if room.audience and room.read_only else levels


def _common_state(name: str, avatar_url: str) -> dict[StateKey, JsonObject]:
    state: dict[StateKey, JsonObject] = {
        ("m.room.name", ""): {"name": name},
        ("m.room.guest_access", ""): {"guest_access": "forbidden"},
    }
    return state | ({("m.room.avatar", ""): {"url": avatar_url}} if avatar_url else {})


def _place(ground: _Ground, parent: RoomKey) -> dict[StateKey, JsonObject]:
    return {("m.space.parent", ground.ids[parent]): {"via": ground.via, "canonical": True}}


def _children(ground: _Ground, *, group: str) -> dict[StateKey, JsonObject]:
    """Return the links to what stands in a group, or in the tenant's space itself, in the order of its list."""
    places: dict[RoomID, int] = {}
    for position, room in enumerate(_listed(ground.tenant)):
        if room.group == group:
            places[ground.ids[room.key]] = position
        elif not group:
            places.setdefault(ground.ids[group_key(room.group)], position)
    return {
        ("m.space.child", room_id): {"via": ground.via, "order": f"{position:04d}"}
        for room_id, position in places.items()
    }


def _marker(ground: _Ground, key: RoomKey, room_type: str) -> JsonObject:
    # the space here is always the tenant's own: membership of the tenant is membership of that one
    return {"tenant_id": ground.tenant.tenant_id, "key": key, "type": room_type, "space_id": ground.ids[SPACE]}


def _admission(tenant: Tenant, room: Room) -> JsonObject:
    """Name those whom our module lets in, and lets write, though they are not in the tenant's space."""
    outsiders: list[Json] = [outsider.user_id for outsider in outsiders_of_room(tenant, room)]
    admission: dict[str, Json] = {"outsiders": outsiders} if outsiders else {}
    # whose they are: our module writes it into what they say
    return admission | ({"partner_tenant_id": room.partner_tenant_id} if room.partner_tenant_id else {})


def _is_shared(room: Room) -> bool:
    """Say whether a room is two tenants': it names no space as its place, which only one of them could see."""
    return room.type is RoomType.ALLIANCE and room.personal


def _creation_content(ground: _Ground, key: RoomKey) -> dict[str, str | bool | list[str]]:
    """Name the room as ours at birth, so that one whose creation we did not see answered is found again."""
    content: dict[str, str | bool | list[str]] = {
        "m.federate": False,
        CREATION_TENANT: ground.tenant.tenant_id,
        CREATION_KEY: key,
    }
    if ground.house.room_version == "12":
        content["additional_creators"] = [ground.house.bots.keeper]
    return content


def _join_rules(ground: _Ground, *, is_closed: bool) -> JsonObject:
    """Return who may join: nobody uninvited, or those in the tenant's own space; never those in a group's."""
    if is_closed:
        return {"join_rule": "invite"}
    return {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": ground.ids[SPACE]}]}


def _history_visibility(room: Room) -> str:
    return TEMPLATES[room.type].history or ("shared" if room.access is Access.TENANT else "invited")
