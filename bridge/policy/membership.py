"""Who belongs in which room of a tenant."""

from bridge.model.ids import UserID
from bridge.model.room import Bots
from bridge.model.tenant import Access, Member, Room, RoomType, Tenant, TenantStatus


def people_of_space(tenant: Tenant) -> frozenset[UserID]:
    """Return everybody of the tenant; nobody while it is not active."""
    return frozenset(member.user_id for member in active_members(tenant))


def people_of_room(tenant: Tenant, room: Room) -> frozenset[UserID]:
    """Return who belongs in a room: all of the tenant, or those whom the room lists; nobody once it is archived."""
    if room.archived:
        return frozenset()
    if room.access is Access.TENANT:
        return people_of_space(tenant)
    return frozenset(m.user_id for m in active_members(tenant) if m.member_id in room.member_ids)


def active_members(tenant: Tenant) -> tuple[Member, ...]:
    """Return the members who may be in rooms now."""
    if tenant.status is not TenantStatus.ACTIVE:
        return ()
    return tuple(member for member in tenant.members if member.active)


def bots_of_room(bots: Bots, room: Room) -> frozenset[UserID]:
    """Return the bots of a room: both creators, the assistant in AI rooms, the relay but in a person's own room."""
    assistant = {bots.assistant} if room.type is RoomType.AI else set[UserID]()
    relay = set[UserID]() if room.personal else {bots.relay}
    return bots.creators | assistant | relay
