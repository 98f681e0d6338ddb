"""Show tickets: a person's own, those of their team, those of BitNexus's staff over all tenants, and figures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.actions.change_ticket import sides_in
from bridge.actions.hold_tenant import Administrator, find_administered
from bridge.errors import Forbidden, NotFound
from bridge.model.credential import SessionCredential
from bridge.model.ids import MemberID, TenantID, TicketID
from bridge.model.tenant import Audience
from bridge.model.ticket import TicketFigures, TicketLine, TicketQuery, TicketStatus
from bridge.policy.membership import TEAM
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTickets:
    """List what a person may see of a tenant's tickets: the team all that ask it, everybody their own."""

    database: Database

    async def __call__(
        self, tenant_id: TenantID, query: TicketQuery, *, mine: bool, credential: SessionCredential
    ) -> Sequence[TicketLine]:
        """Return the tickets, the oldest first; raises NotFound for a foreign tenant."""
        async with self.database.work(tenant_id) as work:
            role = await work.tickets.role_of(credential.member_id)
            if role is None:
                raise NotFound("there is no such tenant")
            audience = Audience.TEAM if role in TEAM and not mine else None
            bounded = replace(query, audience=audience, opener=credential.member_id)
            return await work.tickets.lines(bounded, asker=credential.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTicket:
    """Show one ticket to those whom it concerns."""

    database: Database

    async def __call__(self, tenant_id: TenantID, ticket_id: TicketID, *, credential: SessionCredential) -> TicketLine:
        """Return the ticket; raises NotFound, for others' tickets too."""
        async with self.database.work(tenant_id) as work:
            for line in await work.tickets.lines_of([ticket_id], asker=credential.user_id):
                if await sides_in(work, line.ticket, credential.member_id):
                    return line
        raise NotFound("there is no such ticket")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStaffTickets:
    """List the tickets of all tenants that ask BitNexus's staff."""

    database: Database

    async def __call__(
        self,
        *,
        status: TicketStatus | None,
        assignee: MemberID | None,
        after: TicketID | None,
        limit: int,
        credential: SessionCredential,
    ) -> Sequence[TicketLine]:
        """Return the tickets, the oldest first; raises Forbidden for everybody else."""
        person = await self.database.person_of_user(credential.user_id)
        if person is None or not person.super_admin:
            raise Forbidden("only BitNexus's staff may do this")
        found = await self.database.staff_tickets(status=status, assignee=assignee, after=after, limit=limit)
        lines: dict[tuple[TenantID, TicketID], TicketLine] = {}
        for tenant_id in dict.fromkeys(tenant_id for tenant_id, _ in found):
            own = [ticket_id for owner, ticket_id in found if owner == tenant_id]
            async with self.database.work(tenant_id) as work:
                of_tenant = await work.tickets.lines_of(own, asker=credential.user_id)
            # one that was handed back to its tenant's team meanwhile is not theirs any more
            lines |= {(tenant_id, x.ticket.ticket_id): x for x in of_tenant if x.ticket.audience is Audience.BITNEXUS}
        return [lines[key] for key in found if key in lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTicketFigures:
    """Say how a tenant's tickets go."""

    database: Database

    async def __call__(self, tenant_id: TenantID, *, days: int, credential: Administrator) -> TicketFigures:
        """Return the figures of the last days; raises NotFound or Forbidden."""
        async with self.database.work(tenant_id) as work:
            await find_administered(work, credential)
            return await work.tickets.figures(days=days)
