"""An alliance: a room that two tenants share, each with the people whom it has chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bridge.model.ids import AllianceID, JobID, MemberID, RoomID, TenantID

ALLIANCES_PREFIX = "&"
"""What the key of a lane of alliances begins with; ids of people never do."""

Verb = Literal["accept", "suspend", "resume", "revoke"]
"""What a side can say of an alliance."""
Step = Literal["proposed", "accepted", "suspended", "resumed", "ended"]
"""What became of an alliance by what a side said: the end of the names of its events."""


class AllianceState(StrEnum):
    """How an alliance stands; from ``ended`` nothing leads back."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alliance:
    """An alliance; the room is the owner's, and ``members`` are those whom each side has chosen."""

    alliance_id: AllianceID
    owner_tenant_id: TenantID
    partner_tenant_id: TenantID
    name: str
    state: AllianceState
    revision: int
    suspended_by: frozenset[TenantID] = frozenset()
    """The sides that have suspended it: it rests until each has taken that back."""
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by_tenant: TenantID | None = None
    members: Mapping[TenantID, frozenset[MemberID]] = field(default_factory=dict[TenantID, frozenset[MemberID]])

    @property
    def sides(self) -> tuple[TenantID, TenantID]:
        """The owner, then the partner."""
        return self.owner_tenant_id, self.partner_tenant_id

    def chosen_by(self, tenant_id: TenantID) -> frozenset[MemberID]:
        """Return whom a side has chosen."""
        return self.members.get(tenant_id, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class AllianceWish:
    """An alliance as it is asked for; ``name`` None keeps what stands, sides that ``members`` leaves out stay."""

    alliance_id: AllianceID
    owner_tenant_id: TenantID
    partner_tenant_id: TenantID
    name: str | None
    members: Mapping[TenantID, tuple[MemberID, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllianceStep:
    """What a side did, with the alliance's revision after it."""

    revision: int
    tenant_id: TenantID
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class AllianceTask:
    """An alliance that has to be looked at, because something of one of its sides has changed."""

    task_id: int
    alliance_id: AllianceID


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An alliance's room after a look at it: the job that brings it about, if there is anything to do."""

    room_id: RoomID | None
    job_id: JobID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllianceChange:
    """The answer to a change; ``in_force`` says whether Matrix stands so already."""

    alliance: Alliance
    room_id: RoomID | None
    job_id: JobID | None
    in_force: bool
