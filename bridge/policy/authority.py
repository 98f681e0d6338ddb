"""Who may change what in a tenant, by role."""

from bridge.model.ids import MemberID
from bridge.model.tenant import Member, Role, Tenant

RANKS = {Role.GUEST: 0, Role.MEMBER: 1, Role.MODERATOR: 2, Role.ADMIN: 3, Role.OWNER: 4}


def member_of(tenant: Tenant, member_id: MemberID) -> Member | None:
    """Return a person's membership of a tenant."""
    return next((member for member in tenant.members if member.member_id == member_id), None)


def may_administer(role: Role) -> bool:
    """Say whether a role may change a tenant's rooms and its people's roles."""
    return RANKS[role] >= RANKS[Role.ADMIN]


def may_set_role(own: Role, *, present: Role, new: Role) -> bool:
    """Say whether somebody may give another role to somebody: an owner any, an admin those below their own."""
    if own is Role.OWNER:
        return True
    return may_administer(own) and max(RANKS[present], RANKS[new]) < RANKS[own]
