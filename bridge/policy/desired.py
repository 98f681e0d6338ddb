"""How a wish becomes desired state."""

from dataclasses import fields, replace
from datetime import datetime, timedelta

from bridge.errors import Conflict, InvalidInput, NotFound
from bridge.model.change import Offboarding, RoomWish, TenantWish
from bridge.model.ids import RoomKey, TenantID
from bridge.model.tenant import Access, Room, Tenant, TenantSettings, TenantStatus
from bridge.policy.templates import TEMPLATES

MAX_ROOMS = 500


def apply_wish(tenant_id: TenantID, current: Tenant | None, wish: TenantWish) -> Tenant:
    """Return the tenant that the wish asks for; its revision rises only when something differs.

    To be active again ends an off-boarding.
    """
    base = current or Tenant(
        tenant_id=tenant_id,
        name=wish.name,
        status=TenantStatus.ACTIVE,
        settings=TenantSettings(),
        revision=0,
        rooms=(),
        members=(),
    )
    is_welcome_back = wish.status is TenantStatus.ACTIVE
    wanted = replace(
        base,
        name=wish.name,
        status=wish.status or base.status,
        settings=wish.settings or base.settings,
        avatar_url=base.avatar_url if wish.avatar_url is None else wish.avatar_url,
        rooms=base.rooms if wish.rooms is None else _merge_rooms(base.rooms, wish.rooms),
        offboarded_at=None if is_welcome_back else base.offboarded_at,
        removes_at=None if is_welcome_back else base.removes_at,
    )
    return _revised(current, wanted)


def offboard(tenant: Tenant, wish: Offboarding, *, now: datetime, usual_days: int) -> Tenant:
    """Return the tenant as it is once off-boarding is asked for; asked again, its grace counts from the first time.

    At once means that the time of grace is over: nothing brings it back.
    """
    if wish.at_once:
        begun = replace(tenant, offboarded_at=tenant.offboarded_at or now, removes_at=now)
        return _revised(tenant, removing(begun))
    since = tenant.offboarded_at or now
    days = wish.grace_days
    removes_at = tenant.removes_at
    if removes_at is None or days is not None:
        removes_at = since + timedelta(days=usual_days if days is None else days)
    is_active = tenant.status is TenantStatus.ACTIVE
    status = TenantStatus.SUSPENDED if is_active else tenant.status
    return _revised(tenant, replace(tenant, status=status, offboarded_at=since, removes_at=removes_at))


def removing(tenant: Tenant) -> Tenant:
    """Return a tenant whose time of grace is over: nobody belongs in it, and no room of it is open any more."""
    rooms = tuple(replace(room, archived=True) for room in tenant.rooms)
    return replace(tenant, status=TenantStatus.REMOVING, rooms=rooms)


def add_room(tenant: Tenant, room: Room) -> Room:
    """Return the room as it is to be stored; one that was archived is opened again; raises InvalidInput or Conflict."""
    present = _find(tenant, room.key)
    if present is not None and present.personal:
        raise Conflict(f"the room key '{room.key}' belongs to a person's own room")
    if present is not None and not present.archived and present != room:
        raise Conflict(f"there is a room '{room.key}' already; change it with PATCH")
    if present is None and sum(not (found.archived or found.personal) for found in tenant.rooms) >= MAX_ROOMS:
        raise Conflict(f"a tenant has at most {MAX_ROOMS} rooms")
    _refuse_bad_room(room, "$")
    return room


def change_room(tenant: Tenant, key: RoomKey, wish: RoomWish) -> Room:
    """Return the room with what the wish changes; raises NotFound or InvalidInput."""
    room = open_room(tenant, key)
    wanted = {field.name: value for field in fields(wish) if (value := getattr(wish, field.name)) is not None}
    changed = replace(room, **wanted)
    if changed.access is Access.TENANT and "member_ids" not in wanted:
        changed = replace(changed, member_ids=frozenset())
    _refuse_bad_room(changed, "$")
    return changed


def open_room(tenant: Tenant, key: RoomKey) -> Room:
    """Return a room of the tenant's list; raises NotFound for one that is archived, a person's own, or not there."""
    room = _find(tenant, key)
    if room is None or room.archived or room.personal:
        raise NotFound("there is no such room in this tenant")
    return room


def _find(tenant: Tenant, key: RoomKey) -> Room | None:
    return next((room for room in tenant.rooms if room.key == key), None)


def _revised(current: Tenant | None, wanted: Tenant) -> Tenant:
    return wanted if wanted == current else replace(wanted, revision=wanted.revision + 1)


def _merge_rooms(current: tuple[Room, ...], wished: tuple[Room, ...]) -> tuple[Room, ...]:
    """Keep people's own rooms; a room that the wish leaves out is archived: emptied and unlinked, never deleted."""
    _refuse_bad_rooms(current, wished)
    keys = {room.key for room in wished}
    left_out = tuple(
        room if room.personal else replace(room, archived=True) for room in current if room.key not in keys
    )
    return wished + left_out


def _refuse_bad_rooms(current: tuple[Room, ...], wished: tuple[Room, ...]) -> None:
    personal = {room.key for room in current if room.personal}
    seen: set[str] = set()
    for index, room in enumerate(wished):
        path = f"$.rooms[{index}]"
        if room.key in seen:
            raise InvalidInput(f"the room key '{room.key}' stands in the list twice", path=f"{path}.key")
        if room.key in personal:
            raise InvalidInput(f"the room key '{room.key}' belongs to a person's own room", path=f"{path}.key")
        _refuse_bad_room(room, path)
        seen.add(room.key)


def _refuse_bad_room(room: Room, path: str) -> None:
    if TEMPLATES[room.type].on_demand:
        raise InvalidInput(f"rooms of type '{room.type.value}' are made on demand", path=f"{path}.type")
    if room.member_ids and room.access is not Access.INVITE:
        raise InvalidInput("a room lists members only when its access is 'invite'", path=f"{path}.members")
