"""What callers wish for, and what a change answers."""

from dataclasses import dataclass

from bridge.model.ids import JobID
from bridge.model.tenant import Room, TenantSettings, TenantStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantWish:
    """A tenant as an upsert asks for it; None keeps what stands."""

    name: str
    status: TenantStatus | None = None
    settings: TenantSettings | None = None
    rooms: tuple[Room, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The answer to a change of desired state; ``job_id`` is None when nothing is to do."""

    revision: int
    job_id: JobID | None
