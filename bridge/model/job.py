"""Jobs: a reconcile under way, with the result of each of its effects."""

from dataclasses import dataclass
from typing import Literal

from bridge.model.effect import Effect, EffectTarget
from bridge.model.ids import JobID, RoomID, TenantID

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
class OpenJob:
    """A job that is to be worked on."""

    job_id: JobID
    is_resumed: bool
    """Whether it was begun before, by somebody who did not come to its end."""
    verify: bool
    """Whether every room is to be read first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of an effect: it was made, or ``error`` says why not."""

    position: int
    effect: Effect
    room_id: RoomID | None = None
    error: str | None = None
    is_withheld: bool = False
    """Whether it was not tried, because somebody undoes it again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """How a job ended: the tenant stands as ``revision`` has it, or ``error`` says why not."""

    revision: int
    error: str | None = None
    retry_after_seconds: float | None = None
    """When to try again at the latest, where that is known."""
    is_verified: bool = False
    """Whether every room was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDue:
    """A tenant that needs a look: everything is read from Matrix when ``verify`` says so."""

    tenant_id: TenantID
    verify: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane that this worker holds until its lease ends; ``fence`` proves that it still does."""

    queue: Literal["inbox", "outbox", "reconcile", "people"]
    lane_key: str
    tenant_id: TenantID | None
    fence: int
    attempts: int
    """How often in a row its head had to wait or failed."""
    faults: int = 0
    """How often of these it failed for a reason that nobody foresaw."""
