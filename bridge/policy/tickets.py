"""What may become of a ticket: who is on which side, whose turn it is, and what each side may change."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from bridge.errors import Conflict, Forbidden
from bridge.model.ids import MemberID, RoomKey, TicketID
from bridge.model.json import Json, JsonObject
from bridge.model.tenant import Access, Audience, Role, Room, RoomType
from bridge.model.tenant_event import TenantEvent
from bridge.model.ticket import Side, Ticket, TicketStatus, TicketWish
from bridge.policy.membership import TEAM
from bridge.policy.projection import DELIVERY_ID

Sides = frozenset[Side]

SATISFACTION_KEYS = {f"{number}\ufe0f\u20e3": number for number in range(1, 6)}
"""The reactions that answer the closing question."""
NOT_SOLVED = "❌"

_MAX_NAME = 200


def ticket_room_key(ticket_id: TicketID) -> RoomKey:
    """Return the key of a ticket's room."""
    return RoomKey(f"ticket_{ticket_id}")


def room_of_ticket(ticket: Ticket) -> Room:
    """Return the room in which a ticket is talked about; closed it can be read, and nobody writes in it."""
    return Room(
        key=ticket.room_key,
        type=RoomType.SUPPORT,
        name=f"#{ticket.number} {ticket.subject}".strip()[:_MAX_NAME],
        access=Access.INVITE,
        member_ids=frozenset({ticket.opener}),
        personal=True,
        read_only=ticket.status is TicketStatus.CLOSED,
        audience=ticket.audience,
    )


def nameless(room: Room) -> str:
    """Return the name of a person's own room once they are erased: a ticket's loses its subject."""
    return room.name.partition(" ")[0] if room.audience else room.name


def sides_of(ticket: Ticket, asker: MemberID, role: Role | None, *, is_staff: bool) -> Sides:
    """Return the sides that somebody is on, by their role in the tenant; none for whom the ticket does not exist."""
    sides: set[Side] = set()
    if role is not None and ticket.opener == asker:
        sides.add("opener")
    if may_answer(ticket.audience, role, is_staff=is_staff):
        sides.add("team")
    return frozenset(sides)


def may_answer(audience: Audience, role: Role | None, *, is_staff: bool) -> bool:
    """Say whether somebody is of those whom a ticket asks."""
    if audience is Audience.BITNEXUS:
        return is_staff
    return role in TEAM


def after_message(ticket: Ticket, sides: Sides, at: datetime) -> Ticket:
    """Return a ticket after a message of somebody: what the team says hands the turn over, what the opener says back.

    A first reply counts once. Who is on both sides speaks as the opener. A closed ticket stays as it is.
    """
    if ticket.status is TicketStatus.CLOSED:
        return ticket
    if "opener" in sides:
        return _turn(ticket, TicketStatus.OPEN, at)
    if "team" in sides:
        return _turn(replace(ticket, first_reply_at=ticket.first_reply_at or at), TicketStatus.WAITING, at)
    return ticket


def change_ticket(ticket: Ticket, wish: TicketWish, sides: Sides, *, by: MemberID, at: datetime) -> Ticket:
    """Return the ticket as it is after a change; raises Forbidden for the wrong side, Conflict for the wrong time."""
    changed = ticket
    if wish.audience is not None and wish.audience is not ticket.audience:
        _refuse_others(sides, "team", "only those who answer a ticket hand it over")
        changed = replace(changed, audience=wish.audience, assignee=None)
    if wish.assignee is not None:
        _refuse_others(sides, "team", "only those who answer a ticket assign it")
        changed = replace(changed, assignee=wish.assignee or None)
    if wish.status is not None:
        changed = _with_status(changed, wish.status, sides, by=by, at=at)
    if wish.satisfaction is not None:
        _refuse_others(sides, "opener", "only who opened a ticket says how it was")
        if changed.status is not TicketStatus.CLOSED:
            raise Conflict("a ticket is rated once it is closed")
        changed = replace(changed, satisfaction=wish.satisfaction)
    return ticket if changed == ticket else replace(changed, revision=ticket.revision + 1)


def _with_status(ticket: Ticket, status: TicketStatus, sides: Sides, *, by: MemberID, at: datetime) -> Ticket:
    if status is ticket.status:
        return ticket
    if status is TicketStatus.CLOSED:
        return replace(ticket, status=status, closed_at=at, closed_by=by, waiting_since=None)
    if status is TicketStatus.WAITING:
        _refuse_others(sides, "team", "only those who answer a ticket say that it waits for its opener")
    if ticket.status is not TicketStatus.CLOSED:
        return _turn(ticket, status, at)
    reopened = replace(ticket, closed_at=None, closed_by=None, satisfaction=None, question_id=None)
    return _turn(replace(reopened, reopened=ticket.reopened + 1), status, at)


def _turn(ticket: Ticket, status: TicketStatus, at: datetime) -> Ticket:
    if status is ticket.status:
        return ticket
    return replace(ticket, status=status, waiting_since=at if status is TicketStatus.WAITING else None)


def _refuse_others(sides: Sides, side: Side, sentence: str) -> None:
    if side not in sides:
        raise Forbidden(sentence)


def events_between(before: Ticket, after: Ticket) -> Iterator[TenantEvent]:
    """Return what happened, in ids and states."""
    was_closed, is_closed = (found.status is TicketStatus.CLOSED for found in (before, after))
    if (before.assignee, before.audience) != (after.assignee, after.audience):
        yield ticket_event("ticket.assigned", after)
    if is_closed and not was_closed:
        yield ticket_event("ticket.closed", after)
    if was_closed and not is_closed:
        yield ticket_event("ticket.reopened", after)
    if after.satisfaction is not None and after.satisfaction != before.satisfaction:
        yield ticket_event("ticket.rated", after)


def ticket_event(event_type: str, ticket: Ticket) -> TenantEvent:
    """Return an event of a ticket, without its words."""
    return TenantEvent(type=event_type, subject=ticket.ticket_id, room_key=ticket.room_key, data=ticket_data(ticket))


def ticket_data(ticket: Ticket) -> dict[str, Json]:
    """Return what events and the audit log may say of a ticket: ids and states."""
    return {
        "number": ticket.number,
        "status": ticket.status.value,
        "audience": ticket.audience.value,
        "opener": ticket.opener,
        "assignee": ticket.assignee,
        "satisfaction": ticket.satisfaction,
        "ticket_revision": ticket.revision,
    }


def first_message(text: str, opener_name: str, delivery_id: str) -> JsonObject:
    """Return the first message of a ticket's room: we have no device of the opener's, so it names them."""
    return {"msgtype": "m.text", "body": f"{opener_name}:\n{text}", "m.mentions": {}, DELIVERY_ID: delivery_id}


def closing_question(delivery_id: str) -> JsonObject:
    """Return what is asked when a ticket is closed."""
    text = (
        "This ticket is closed. How was it? Answer with a reaction to this message, from 1\ufe0f\u20e3 (bad) to"
        f" 5\ufe0f\u20e3 (good). If it is not solved, react with {NOT_SOLVED} and it is open again."
    )
    return {"msgtype": "m.notice", "body": text, "m.mentions": {}, DELIVERY_ID: delivery_id}


def wish_of_reaction(key: str) -> TicketWish | None:
    """Return what a reaction to the closing question asks for; other reactions ask for nothing."""
    if key == NOT_SOLVED:
        return TicketWish(status=TicketStatus.OPEN)
    found = SATISFACTION_KEYS.get(key)
    return None if found is None else TicketWish(satisfaction=found)
