"""Support tickets: what a person asks the tenant's own team, or BitNexus's staff, in a room of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bridge.model.ids import DeliveryID, MemberID, RoomID, RoomKey, TenantID, TicketID
from bridge.model.tenant import Audience

Side = Literal["opener", "team"]
"""On which side of a ticket somebody is; who asks their own team is on both."""


class TicketStatus(StrEnum):
    """Whose turn it is: the team's, the opener's, or nobody's."""

    OPEN = "open"
    WAITING = "waiting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket as it stands."""

    ticket_id: TicketID
    number: int
    room_key: RoomKey
    subject: str
    audience: Audience
    opener: MemberID
    opened_at: datetime
    status: TicketStatus = TicketStatus.OPEN
    assignee: MemberID | None = None
    first_reply_at: datetime | None = None
    waiting_since: datetime | None = None
    closed_at: datetime | None = None
    closed_by: MemberID | None = None
    reopened: int = 0
    satisfaction: int | None = None
    question_id: DeliveryID | None = None
    """The question that was asked at its closing."""
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketWish:
    """What somebody wants changed of a ticket; ``assignee`` empty takes it from everybody."""

    status: TicketStatus | None = None
    assignee: MemberID | Literal[""] | None = None
    audience: Audience | None = None
    satisfaction: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLine:
    """A ticket in a queue, as one person sees it."""

    tenant_id: TenantID
    ticket: Ticket
    room_id: RoomID | None
    unread: int
    last_message_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketQuery:
    """Which tickets of a tenant somebody wants to see, the oldest first; ``audience`` and ``opener`` bound what may."""

    audience: Audience | None = None
    opener: MemberID | None = None
    status: TicketStatus | None = None
    assignee: MemberID | None = None
    after: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFigures:
    """How a tenant's tickets go: how many stand how, and how long they take, in seconds."""

    counts: Mapping[str, int]
    opened: int
    first_reply_median: float | None
    first_reply_p90: float | None
    resolution_median: float | None
    resolution_p90: float | None
    satisfaction: float | None
