"""Routes of support tickets."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from bridge.actions.open_ticket import Question
from bridge.api.call import Call
from bridge.api.shapes import Page
from bridge.api.ticket_shapes import (
    TicketAnswer,
    TicketBody,
    TicketChangeAnswer,
    TicketChangeBody,
    TicketFiguresAnswer,
    TicketItem,
)
from bridge.errors import InvalidInput, MissingInput
from bridge.model.credential import IntegrationCredential
from bridge.model.ids import MemberID, TicketID, parse_member_id
from bridge.model.tenant import Audience
from bridge.model.ticket import TicketLine, TicketQuery, TicketStatus, TicketWish

_MAX_NUMBER = 2_000_000_000
_DAYS = 30


async def post_ticket(call: Call) -> TicketAnswer:
    """Open a ticket as the person who asks, or as an integration for somebody."""
    body = call.body_as(TicketBody)
    credential = call.asker
    if isinstance(credential, IntegrationCredential):
        if body.user_id is None:
            raise MissingInput("an integration names who asks", path="$.user_id")
        opener = parse_member_id(body.user_id)
    elif body.user_id is not None:
        raise InvalidInput("a person opens tickets for themselves only", path="$.user_id")
    else:
        opener = credential.member_id
    key = body.id or call.request.headers.get("Idempotency-Key")
    if "\0" in body.subject + body.body + (key or ""):
        raise InvalidInput("a ticket has no zero characters", path="$.body")
    question = Question(subject=body.subject, body=body.body, audience=Audience(body.audience), opener=opener)
    ticket, room_id, change = await call.actions.open_ticket(
        call.tenant_id, question, idempotency_key=key, credential=credential
    )
    return TicketAnswer(
        ticket_id=ticket.ticket_id,
        number=ticket.number,
        room_key=ticket.room_key,
        room_id=room_id,
        status=ticket.status.value,
        revision=change.revision,
        job_id=change.job_id,
    )


async def patch_ticket(call: Call) -> TicketChangeAnswer:
    """Change what the body names of a ticket."""
    body = call.body_as(TicketChangeBody)
    assignee: MemberID | Literal[""] | None = None
    if body.assignee is not None:
        assignee = parse_member_id(body.assignee, path="$.assignee") if body.assignee else ""
    wish = TicketWish(
        status=None if body.status is None else TicketStatus(body.status),
        assignee=assignee,
        audience=None if body.audience is None else Audience(body.audience),
        satisfaction=body.satisfaction,
    )
    ticket, change = await call.actions.change_ticket(call.tenant_id, _ticket_id(call), wish, credential=call.session)
    return TicketChangeAnswer(
        ticket_id=ticket.ticket_id,
        status=ticket.status.value,
        assignee=ticket.assignee,
        audience=ticket.audience.value,
        satisfaction=ticket.satisfaction,
        revision=change.revision,
        job_id=change.job_id,
    )


async def get_tickets(call: Call) -> Page[TicketItem]:
    """List the tickets of a tenant that the asker may see, the oldest first."""
    query = TicketQuery(
        status=_status(call),
        assignee=_assignee(call),
        after=call.number("after", least=0, most=_MAX_NUMBER) or 0,
        limit=call.limit + 1,
    )
    lines = await call.actions.list_tickets(call.tenant_id, query, mine=call.flag("mine"), credential=call.session)
    return _page(lines, call.limit, [str(line.ticket.number) for line in lines])


async def get_ticket(call: Call) -> TicketItem:
    """Show one ticket."""
    return _item(await call.actions.show_ticket(call.tenant_id, _ticket_id(call), credential=call.session))


async def get_staff_tickets(call: Call) -> Page[TicketItem]:
    """List the tickets of all tenants that ask BitNexus's staff, the oldest first."""
    after = call.request.query.get("after")
    lines = await call.actions.list_staff_tickets(
        status=_status(call),
        assignee=_assignee(call),
        after=None if after is None else TicketID(parse_member_id(after, path="after")),
        limit=call.limit + 1,
        credential=call.session,
    )
    return _page(lines, call.limit, [line.ticket.ticket_id for line in lines])


async def get_figures(call: Call) -> TicketFiguresAnswer:
    """Say how many tickets stand how, and how long they take."""
    days = call.number("days", least=1, most=3650) or _DAYS
    found = await call.actions.show_ticket_figures(call.tenant_id, days=days, credential=call.administrator)
    return TicketFiguresAnswer(
        days=days,
        counts={status.value: found.counts.get(status.value, 0) for status in TicketStatus},
        opened=found.opened,
        first_reply_median=found.first_reply_median,
        first_reply_p90=found.first_reply_p90,
        resolution_median=found.resolution_median,
        resolution_p90=found.resolution_p90,
        satisfaction=found.satisfaction,
    )


def _page(lines: Sequence[TicketLine], limit: int, cursors: Sequence[str]) -> Page[TicketItem]:
    """Return a page; one line more than it holds says that another follows."""
    return Page(
        items=tuple(_item(line) for line in lines[:limit]), next=cursors[limit - 1] if len(lines) > limit else None
    )


def _item(line: TicketLine) -> TicketItem:
    ticket = line.ticket
    return TicketItem(
        tenant_id=line.tenant_id,
        ticket_id=ticket.ticket_id,
        number=ticket.number,
        subject=ticket.subject,
        audience=ticket.audience.value,
        status=ticket.status.value,
        opener=ticket.opener,
        assignee=ticket.assignee,
        room_key=ticket.room_key,
        room_id=line.room_id,
        unread=line.unread,
        age_seconds=_seconds(ticket.opened_at, datetime.now(UTC)) or 0,
        opened_at=ticket.opened_at,
        last_message_at=line.last_message_at,
        waiting_since=ticket.waiting_since,
        closed_at=ticket.closed_at,
        first_reply_seconds=_seconds(ticket.opened_at, ticket.first_reply_at),
        resolution_seconds=_seconds(ticket.opened_at, ticket.closed_at),
        reopened=ticket.reopened,
        satisfaction=ticket.satisfaction,
    )


def _seconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else max(0, int((end - start).total_seconds()))


def _status(call: Call) -> TicketStatus | None:
    text = call.request.query.get("status")
    try:
        return None if text is None else TicketStatus(text)
    except ValueError as error:
        raise InvalidInput("status must be open, waiting or closed", path="status") from error


def _assignee(call: Call) -> MemberID | None:
    text = call.request.query.get("assignee")
    return None if text is None else parse_member_id(text, path="assignee")


def _ticket_id(call: Call) -> TicketID:
    return TicketID(parse_member_id(call.path("ticket_id"), path="ticket_id"))
