"""Bodies and answers of the routes of tickets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from bridge.api.shapes import Answer, Body, Id

AudienceName = Literal["team", "bitnexus"]
TicketStatusName = Literal["open", "waiting", "closed"]


class TicketBody(Body, frozen=True, kw_only=True):
    """A question to the tenant's own team, or to BitNexus's staff.

    An integration names in ``user_id`` who asks; ``id`` makes it safe to send again.
    """

    subject: Annotated[str, Meta(min_length=1, max_length=180)]
    body: Annotated[str, Meta(min_length=1, max_length=8000)]
    audience: AudienceName = "team"
    user_id: Id | None = None
    id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class TicketChangeBody(Body, frozen=True, kw_only=True):
    """A change of a ticket; what is left out stays as it is. An empty ``assignee`` takes it from everybody."""

    status: TicketStatusName | None = None
    assignee: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{0,64}$(?!\n)")] | None = None
    audience: AudienceName | None = None
    satisfaction: Annotated[int, Meta(ge=1, le=5)] | None = None


class TicketAnswer(Answer, frozen=True, kw_only=True):
    """A ticket that was opened or changed; ``room_id`` is null until the job has made the room."""

    ticket_id: str
    number: int
    room_key: str
    room_id: str | None
    status: TicketStatusName
    revision: int
    job_id: str | None


class TicketChangeAnswer(Answer, frozen=True, kw_only=True):
    """A ticket after a change; ``job_id`` is null when its room stays as it is."""

    ticket_id: str
    status: TicketStatusName
    assignee: str | None
    audience: AudienceName
    satisfaction: int | None
    revision: int
    job_id: str | None


class TicketItem(Answer, frozen=True, kw_only=True):
    """A ticket in a queue; ``unread`` counts what others wrote since the asker read or wrote last."""

    tenant_id: str
    ticket_id: str
    number: int
    subject: str
    audience: AudienceName
    status: TicketStatusName
    opener: str
    assignee: str | None
    room_key: str
    room_id: str | None
    unread: int
    age_seconds: int
    opened_at: datetime
    last_message_at: datetime | None
    waiting_since: datetime | None
    closed_at: datetime | None
    first_reply_seconds: int | None
    resolution_seconds: int | None
    reopened: int
    satisfaction: int | None


class TicketFiguresAnswer(Answer, frozen=True, kw_only=True):
    """How a tenant's tickets go; times in seconds, over the tickets opened in the last ``days``."""

    days: int
    counts: Mapping[str, int]
    opened: int
    first_reply_median: float | None
    first_reply_p90: float | None
    resolution_median: float | None
    resolution_p90: float | None
    satisfaction: float | None
