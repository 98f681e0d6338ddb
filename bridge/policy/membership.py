"""Who belongs in which room of a tenant."""

from bridge.model.ids import UserID
from bridge.model.room import Bots
from bridge.model.tenant import Access, Audience, Member, Outsider, Role, Room, RoomType, Tenant, TenantStatus
from bridge.policy.templates import TEMPLATES

_BOTH = 2
TEAM = frozenset({Role.OWNER, Role.ADMIN, Role.MODERATOR})
"""Whose role makes them the tenant's own support people."""


def people_of_space(tenant: Tenant) -> frozenset[UserID]:
    """Return everybody of the tenant who may be in rooms now."""
    return frozenset(member.user_id for member in active_members(tenant))


def people_of_room(tenant: Tenant, room: Room) -> frozenset[UserID]:
    """Return who belongs in a room: all of the tenant, or those whom the room lists; nobody once it is archived."""
    if room.archived:
        return frozenset()
    if room.access is Access.TENANT:
        return people_of_space(tenant)
    listed = frozenset(m.user_id for m in active_members(tenant) if m.member_id in room.member_ids or answers(m, room))
    return listed | frozenset(outsider.user_id for outsider in outsiders_of_room(tenant, room))


def answers(member: Member, room: Room) -> bool:
    """Say whether a member answers the ticket whose room it is: of the team by their role, or as BitNexus's staff."""
    match room.audience:
        case Audience.TEAM:
            return member.role in TEAM
        case Audience.BITNEXUS:
            return any(outsider.member_id == member.member_id for outsider in room.outsiders)
        case None:
            return False


def outsiders_of_room(tenant: Tenant, room: Room) -> tuple[Outsider, ...]:
    """Return who may be in a room without belonging to its tenant: nobody once the room or the tenant is closed."""
    if room.archived or tenant.status is not TenantStatus.ACTIVE:
        return ()
    own = {member.member_id for member in tenant.members}
    found = (outsider for outsider in room.outsiders if outsider.active and outsider.member_id not in own)
    return tuple(sorted(found, key=lambda outsider: outsider.user_id))


def is_open_direct_chat(tenant: Tenant, room: Room) -> bool:
    """Say whether two people can talk to each other in a direct chat; one that is not open can only be read."""
    return (
        room.type is RoomType.DM
        and tenant.status is TenantStatus.ACTIVE
        and tenant.settings.dms
        and not room.blocked
        and len(people_of_room(tenant, room)) == len(room.member_ids) == _BOTH
    )


def active_members(tenant: Tenant) -> tuple[Member, ...]:
    """Return the members who may be in rooms now.

    While a tenant is suspended those who have no other active tenant stay: they are refused everywhere until it is
    active again. Those who have one go on with that, so they are taken out.
    """
    match tenant.status:
        case TenantStatus.ACTIVE:
            return tuple(member for member in tenant.members if member.active)
        case TenantStatus.SUSPENDED:
            return tuple(m for m in tenant.members if m.active and not m.has_other_active_tenant)
        case TenantStatus.ARCHIVED | TenantStatus.REMOVING | TenantStatus.REMOVED:
            return ()


def bots_of_room(bots: Bots, room: Room) -> frozenset[UserID]:
    """Return the bots of a room: both creators, and those that its template has.

    Of the rooms that are people's own the relay is in tickets alone. A direct chat is made by our creator alone: the
    other creator has its power without being inside.
    """
    if room.type is RoomType.DM:
        return frozenset({bots.creator})
    template = TEMPLATES[room.type]
    assistant = {bots.assistant} if template.has_assistant else set[UserID]()
    relay = {bots.relay} if template.has_relay and (room.audience or not room.personal) else set[UserID]()
    return bots.creators | assistant | relay
