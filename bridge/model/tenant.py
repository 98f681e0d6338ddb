"""A tenant as BitNexus wants it: its rooms, its people and their roles."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bridge.model.ids import MemberID, RoomKey, TenantID, UserID


class Role(StrEnum):
    """What a person is in a tenant; the power level that Matrix gives them follows from it."""

    OWNER = "owner"
    ADMIN = "admin"
    MODERATOR = "moderator"
    MEMBER = "member"
    GUEST = "guest"


class TenantStatus(StrEnum):
    """A tenant that is not active keeps its rooms and its history.

    While it is suspended, those who have no other active tenant stay in its rooms and may use nothing; all others are
    out of them. An archived one has nobody in its rooms. Off-boarding leads over ``removing`` to ``removed``, for good.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ARCHIVED = "archived"
    REMOVING = "removing"
    REMOVED = "removed"


class RoomType(StrEnum):
    """What a room is for."""

    GENERAL = "general"
    ANNOUNCEMENT = "announcement"
    SUPPORT = "support"
    DM = "dm"
    AI = "ai"
    ALLIANCE = "alliance"
    CUSTOM = "custom"


class Access(StrEnum):
    """Who belongs in a room: everybody of the tenant, or those it lists."""

    TENANT = "tenant"
    INVITE = "invite"


class Audience(StrEnum):
    """Whom a support ticket asks: the tenant's own support people, or BitNexus's staff."""

    TEAM = "team"
    BITNEXUS = "bitnexus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outsider:
    """A person in a room of a tenant that they do not belong to: of a partner in an alliance, or of BitNexus's staff.

    They never stand in the tenant's space, and have no power in the room.
    """

    member_id: MemberID
    user_id: UserID
    display_name: str
    active: bool = True
    avatar_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room that a tenant shall have."""

    key: RoomKey
    type: RoomType
    name: str
    topic: str = ""
    access: Access = Access.TENANT
    optional: bool = False
    member_ids: frozenset[MemberID] = frozenset()
    personal: bool = False
    archived: bool = False
    group: str = ""
    """The sub-space that the room stands in, by its name; empty: it stands in the tenant's space itself."""
    avatar_url: str = ""
    outsiders: frozenset[Outsider] = frozenset()
    """Who is in it beside the tenant's own people; only rooms that are made on demand have any."""
    read_only: bool = False
    """Whether nobody but us writes in it any more."""
    blocked: bool = False
    """Of a direct chat: whether one of the two blocks the other."""
    partner_tenant_id: TenantID | None = None
    """In an alliance's room: the tenant that those from outside belong to; it follows from the alliance."""
    audience: Audience | None = None
    """Whom the ticket asks whose room it is; its people are derived from it, and None for all other rooms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person in a tenant."""

    member_id: MemberID
    user_id: UserID
    role: Role
    display_name: str
    active: bool = True
    avatar_url: str = ""
    has_other_active_tenant: bool = False
    """Whether another tenant of theirs is active; looked up only while this one is suspended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person of BitNexus, whatever tenants they are in."""

    member_id: MemberID
    user_id: UserID
    display_name: str
    super_admin: bool = False
    active: bool = True
    avatar_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Everything that is desired of a tenant."""

    tenant_id: TenantID
    name: str
    status: TenantStatus
    settings: "TenantSettings"
    revision: int
    rooms: tuple[Room, ...]
    members: tuple[Member, ...]
    avatar_url: str = ""
    offboarded_at: datetime | None = None
    """When its off-boarding was asked for; None while it is not."""
    removes_at: datetime | None = None
    """When its time of grace ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """What a tenant may set; ``retention_days`` None keeps messages for ever."""

    retention_days: int | None = None
    dms: bool = True
    ai: bool = True
    allowed_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSummary:
    """A tenant in a list."""

    tenant_id: TenantID
    name: str
    status: TenantStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRole:
    """A tenant that a person belongs to, as a session shows it."""

    tenant_id: TenantID
    name: str
    role: Role
    space_id: str | None
