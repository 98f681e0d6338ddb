"""Jobs: a reconcile under way, with the result of each of its effects."""

from dataclasses import dataclass
from typing import Literal

from bridge.model.effect import EffectTarget
from bridge.model.ids import JobID, TenantID

JobState = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectResult:
    """An effect of a job and what became of it."""

    target: EffectTarget
    state: Literal["pending", "done", "failed"]
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A reconcile of one tenant."""

    job_id: JobID
    tenant_id: TenantID
    state: JobState
    error: str | None
    effects: tuple[EffectResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane that this worker holds until its lease ends; ``fence`` proves that it still does."""

    queue: Literal["inbox", "outbox", "reconcile"]
    lane_key: str
    tenant_id: TenantID | None
    fence: int
    attempts: int
    """How often in a row its head had to wait or failed."""
    faults: int = 0
    """How often of these it failed for a reason that nobody foresaw."""
