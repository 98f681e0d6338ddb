"""What callers wish for, and what a change answers."""

from dataclasses import dataclass

from bridge.model.ids import JobID, MemberID
from bridge.model.tenant import Access, Role, Room, RoomType, TenantSettings, TenantStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantWish:
    """A tenant as an upsert asks for it; None keeps what stands."""

    name: str
    status: TenantStatus | None = None
    settings: TenantSettings | None = None
    rooms: tuple[Room, ...] | None = None
    avatar_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The answer to a change of desired state; ``job_id`` is None when nothing is to do."""

    revision: int
    job_id: JobID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberWish:
    """A membership as it is asked for; ``display_name`` None keeps what stands."""

    member_id: MemberID
    role: Role
    display_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomWish:
    """A change of a room; None keeps what stands."""

    type: RoomType | None = None
    name: str | None = None
    topic: str | None = None
    access: Access | None = None
    optional: bool | None = None
    member_ids: frozenset[MemberID] | None = None
    group: str | None = None
    avatar_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offboarding:
    """How a tenant is to be off-boarded: after days of grace (None: as set before, or the usual ones), or at once."""

    grace_days: int | None = None
    at_once: bool = False
