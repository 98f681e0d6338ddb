"""Events: those that Matrix sends us, those that n8n sends us, and those that we send."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bridge.model.ids import DeliveryID, EventID, MemberID, OutboxID, RoomID, RoomKey, TenantID, UserID
from bridge.model.json import JsonObject

Severity = Literal["info", "ok", "warning", "error", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixEvent:
    """An event of a room as Synapse hands it to an application service (client-server API, section "Events")."""

    event_id: EventID
    room_id: RoomID
    event_type: str
    sender: UserID
    content: JsonObject
    origin_server_ts: int
    state_key: str | None = None
    redacts: EventID | None = None
    stream_position: int | None = None
    """Synapse's stream ordering, which our module adds; None where an event was made without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A read receipt: ``user_id`` has read up to ``event_id``; ``ts`` in milliseconds."""

    room_id: RoomID
    event_id: EventID
    user_id: UserID
    ts: int


InboxItems = Sequence[tuple[str, MatrixEvent | Receipt]]
"""What Synapse sends, each with the id that it is known by: an event's own, or one made of a receipt's content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """What the inbox holds of a room, in order of arrival."""

    inbox_id: int
    body: MatrixEvent | Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessEvent:
    """An event of the business, such as ``academy.course.completed``, as an integration sends it."""

    type: str
    idempotency_key: str
    room_keys: tuple[RoomKey, ...]
    severity: Severity = "info"
    title: str = ""
    body: str = ""
    subject: str | None = None
    data: JsonObject = field(default_factory=dict[str, "str"])
    mentions: tuple[MemberID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to be sent, frozen before its first attempt; ``answer`` asks the assistant to write it."""

    room_id: RoomID
    sender: UserID
    event_type: str
    content: JsonObject
    kind: Literal["send", "answer"] = "send"
    delivery_id: DeliveryID | None = None
    """What ``com.bitnexus.delivery_id`` in the content says: by it our own event is recognised when it comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxItem:
    """A message that waits in its room's lane."""

    outbox_id: OutboxID
    tenant_id: TenantID
    room_id: RoomID
    kind: Literal["send", "answer"]
    sender: UserID
    event_type: str
    content: JsonObject
    nonce: str
    attempts: int
    first_attempt_at: datetime | None
    failures: int
    """How many of its attempts the homeserver answered with a failure of its own."""
    delivery_id: DeliveryID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The homeserver has the message: it answered, its echo came back, or it was found in the room's timeline."""

    event_id: EventID
    acknowledged_by: Literal["answer", "echo", "timeline"] = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The message cannot be sent, ever: it becomes a dead letter."""

    error: str


Outcome = Sent | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one message of an integration."""

    delivery_id: DeliveryID
    state: Literal["queued", "delivered", "dead"]
    room_id: RoomID
    room_key: RoomKey
    type: str
    event_id: EventID | None
    error: str | None
