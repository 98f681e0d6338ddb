"""Change a ticket: close it, open it again, assign it, hand it over, say how it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bridge.errors import Forbidden, NotFound
from bridge.model.audit import AuditEntry
from bridge.model.change import Change
from bridge.model.credential import SessionCredential
from bridge.model.event import Outgoing
from bridge.model.ids import DeliveryID, MemberID, TenantID, TicketID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Audience, Tenant, TenantStatus
from bridge.model.ticket import Ticket, TicketStatus, TicketWish
from bridge.policy.tickets import (
    Sides,
    change_ticket,
    closing_question,
    events_between,
    may_answer,
    room_of_ticket,
    sides_of,
    ticket_data,
    ticket_event,
)
from bridge.ports import Act, Clock, Database, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTicket:
    """Change what a wish names of a ticket; the same once more changes nothing."""

    database: Database
    house: MatrixHouse
    clock: Clock

    async def __call__(
        self, tenant_id: TenantID, ticket_id: TicketID, wish: TicketWish, *, credential: SessionCredential
    ) -> tuple[Ticket, Change]:
        """Return the ticket and the job; raises NotFound for others' tickets, Forbidden, Conflict."""
        async with self.database.act(tenant_id, credential.actor) as act:
            await act.tenants.lock()
            ticket = await act.tickets.find(ticket_id)
            sides: Sides = await sides_in(act, ticket, credential.member_id) if ticket else frozenset()
            if ticket is None or not sides:
                raise NotFound("there is no such ticket")
            return await change_ticket_in(
                act, self.house, ticket, wish, sides, by=credential.member_id, at=self.clock.now()
            )


async def change_ticket_in(
    act: Act, house: MatrixHouse, ticket: Ticket, wish: TicketWish, sides: Sides, *, by: MemberID, at: datetime
) -> tuple[Ticket, Change]:
    """Change a ticket in a transaction that holds its tenant; raises NotFound, Forbidden, Conflict."""
    tenant = await act.tenants.find()
    if tenant is None or tenant.status is not TenantStatus.ACTIVE:
        raise Forbidden("this tenant is not active")
    changed = change_ticket(ticket, wish, sides, by=by, at=at)
    if changed == ticket:
        act.nothing_changed()
        return ticket, Change(revision=tenant.revision, job_id=None)
    if changed.assignee and changed.assignee != ticket.assignee:
        await _refuse_assignee(act, changed.audience, changed.assignee)
    if changed.status is TicketStatus.CLOSED and ticket.status is not TicketStatus.CLOSED:
        changed = await _ask_how_it_was(act, house, changed)
    return changed, await _store(act, tenant, ticket, changed)


async def _ask_how_it_was(act: Act, house: MatrixHouse, ticket: Ticket) -> Ticket:
    """Ask in the room; our relay may speak in it though it is closed."""
    room_id = (await act.rooms.room_ids()).get(ticket.room_key)
    if room_id is None:
        return ticket
    delivery_id = DeliveryID(f"dlv_closed_{ticket.ticket_id}_{ticket.revision}")
    await act.outbox.enqueue(
        Outgoing(
            room_id=room_id,
            sender=house.bots.relay,
            event_type="m.room.message",
            content=closing_question(delivery_id),
            delivery_id=delivery_id,
        )
    )
    return replace(ticket, question_id=delivery_id)


async def _store(act: Act, tenant: Tenant, before: Ticket, after: Ticket) -> Change:
    await act.tickets.save(after)
    events = tuple(events_between(before, after))
    await act.events.add(*events)
    actions = [event.type for event in events] or ["ticket.changed"]
    await act.audit(*(AuditEntry(action=name, target=after.ticket_id, details=ticket_data(after)) for name in actions))
    if room_of_ticket(before) == room_of_ticket(after):
        return Change(revision=tenant.revision, job_id=None)
    await act.tenants.save_room(room_of_ticket(after))
    revision = await act.tenants.bump_revision()
    return Change(revision=revision, job_id=await act.jobs.enqueue(revision))


async def sides_in(work: Work, ticket: Ticket, member_id: MemberID) -> Sides:
    """Return the sides of a ticket that somebody is on."""
    person = await work.people.find(member_id)
    if person is None or not person.active:
        return frozenset()
    role = await work.tickets.role_of(member_id)
    return sides_of(ticket, member_id, role, is_staff=person.super_admin)


async def unassign_tickets(act: Act, member_ids: Sequence[MemberID]) -> None:
    """Take their open tickets from people who answer no more; the tickets wait for somebody else."""
    for member_id in member_ids:
        for ticket in await act.tickets.unassign(member_id):
            await act.events.add(ticket_event("ticket.assigned", ticket))
            await act.audit(AuditEntry(action="ticket.assigned", target=ticket.ticket_id, details=ticket_data(ticket)))


async def _refuse_assignee(act: Act, audience: Audience, assignee: MemberID) -> None:
    person = await act.people.find(assignee)
    role = await act.tickets.role_of(assignee)
    if person is None or not person.active or not may_answer(audience, role, is_staff=person.super_admin):
        raise NotFound(f"there is nobody '{assignee}' who answers this ticket", path="$.assignee")
