"""The erasure of a person: how far it is, and its receipt."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridge.model.ids import EventID, MemberID, RoomID, TenantID, UserID

Step = Literal["leave", "content", "account", "redact", "finish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedRoom:
    """A room in which a person's events are redacted; in a room of their own, everybody's are."""

    tenant_id: TenantID
    room_id: RoomID
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure; ``position`` says how far its step is, ``counts`` what was erased so far."""

    receipt_id: str
    member_id: MemberID
    user_id: UserID
    state: Literal["running", "done"]
    step: Step
    position: str
    rooms: tuple[ErasedRoom, ...]
    counts: Mapping[str, int]
    asked_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedContent:
    """What was erased of a person in one tenant's tables, and the rooms in which Matrix still has it."""

    rooms: tuple[ErasedRoom, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePage:
    """A piece of a room's timeline, newest first: events that say something still, and where the next piece begins."""

    event_ids: tuple[EventID, ...]
    next_position: str | None
