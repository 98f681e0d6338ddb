"""How a wish becomes desired state."""

from dataclasses import replace

from bridge.errors import InvalidInput
from bridge.model.change import TenantWish
from bridge.model.ids import TenantID
from bridge.model.tenant import Access, Room, RoomType, Tenant, TenantSettings, TenantStatus

_ON_DEMAND = frozenset({RoomType.DM, RoomType.ALLIANCE})


def apply_wish(tenant_id: TenantID, current: Tenant | None, wish: TenantWish) -> Tenant:
    """Return the tenant that the wish asks for; its revision rises only when something differs."""
    base = current or Tenant(
        tenant_id=tenant_id,
        name=wish.name,
        status=TenantStatus.ACTIVE,
        settings=TenantSettings(),
        revision=0,
        rooms=(),
        members=(),
    )
    wanted = replace(
        base,
        name=wish.name,
        status=wish.status or base.status,
        settings=wish.settings or base.settings,
        rooms=base.rooms if wish.rooms is None else _merge_rooms(base.rooms, wish.rooms),
    )
    return wanted if wanted == current else replace(wanted, revision=base.revision + 1)


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
        if room.type in _ON_DEMAND:
            raise InvalidInput(f"rooms of type '{room.type.value}' are made on demand", path=f"{path}.type")
        if room.member_ids and room.access is not Access.INVITE:
            raise InvalidInput("a room lists members only when its access is 'invite'", path=f"{path}.members")
        seen.add(room.key)
