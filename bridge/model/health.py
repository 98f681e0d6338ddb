"""Health: the figures that the doctor and the metrics look at, and what a check says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bridge.model.ids import JobID, OutboxID, RoomID, RoomKey, TenantID, UserID
from bridge.model.json import Json, JsonObject
from bridge.model.stream import StreamName

Status = Literal["ok", "warning", "failing"]
QueueName = Literal["inbox", "outbox", "reconcile", "people"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: a sentence for a person, and how to mend it unless it is well."""

    name: str
    status: Status
    sentence: str
    remedy: str | None = None
    details: tuple[str, ...] = ()
    """One line for each thing that is meant, with its id."""
    figures: JsonObject = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """One queue: ``pending`` are the items that truly wait, ``oldest_seconds`` is 0 where none does."""

    queue: QueueName
    lanes_waiting: int
    lanes_held: int
    pending: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubledLane:
    """A lane whose head failed; ``faults`` of its ``attempts`` were for a reason that nobody foresaw."""

    queue: QueueName
    lane_key: str
    tenant_id: TenantID | None
    attempts: int
    faults: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedLane:
    """A lane whose counter says something else than its items."""

    queue: QueueName
    lane_key: str
    tenant_id: TenantID | None
    counted: int
    actual: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up."""

    outbox_id: OutboxID
    room_id: RoomID
    error: str
    age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """The dead letters of one tenant: all, those of the last days, those of the last hour, and the newest."""

    tenant_id: TenantID
    total: int
    recent: int
    last_hour: int
    newest: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedReconcile:
    """A tenant whose last finished job failed."""

    tenant_id: TenantID
    job_id: JobID
    error: str
    age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """What came from the homeserver and could not be read or taken in."""

    total: int
    recent: int
    newest: tuple[tuple[int, str], ...]
    """Row and error of the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayEvents:
    """Events that wait for their room to become known, and rooms that have the oldest of them."""

    total: int
    oldest_seconds: float
    rooms: tuple[RoomID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakRoom:
    """A room in which our creator cannot do everything; ``power`` is None where it is not inside at all."""

    tenant_id: TenantID
    room_key: RoomKey
    room_id: RoomID
    power: int | None
    needed: int
    """What the room's power levels ask for at most, from whoever keeps it."""
    rivals: int
    """The highest power of anybody who is no bot of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFigures:
    """How far a stream was compared with the inbox, where it ends, and how long ago the comparison last moved."""

    stream: StreamName
    position: int
    end: int
    age_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GapFigures:
    """What the homeserver stored of our rooms and the inbox has not; ``is_whole`` says that all of it was looked at."""

    streams: tuple[StreamFigures, ...]
    missing: int
    oldest_missing_seconds: float
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the metrics say of the database."""

    queues: tuple[QueueFigures, ...]
    dead_letters: int
    quarantined: int
    stray: int
    positions: Mapping[StreamName, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFacts:
    """What a database role of ours may do; ``exposed`` are tenants' tables that do not keep tenants apart."""

    name: str
    is_superuser: bool
    bypasses_row_security: bool
    owns_tables: bool
    exposed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeserverAnswer:
    """What the homeserver answered to a request of the doctor's."""

    status: int
    body: JsonObject

    @property
    def errcode(self) -> str:
        """The Matrix error code; empty where there is none."""
        return str(self.body.get("errcode", ""))

    @property
    def error(self) -> str:
        """The homeserver's own sentence; empty where there is none."""
        return str(self.body.get("error", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class BotFacts:
    """One of our bots as the homeserver knows it; ``devices`` is None where it does not know it."""

    user_id: UserID
    devices: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeFacts:
    """The bridge of this configuration: what ``/ready`` says; None when nobody listens."""

    address: str
    readiness: str | None
    dependencies: Mapping[str, bool]
