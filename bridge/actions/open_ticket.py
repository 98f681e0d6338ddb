"""Open a support ticket, once, and send its first message once its room stands."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from bridge.errors import Forbidden, KeyReused, NotFound
from bridge.model.audit import AuditEntry
from bridge.model.change import Change
from bridge.model.credential import IntegrationCredential, SessionCredential
from bridge.model.event import Outgoing
from bridge.model.ids import DeliveryID, MemberID, RoomID, TenantID, TicketID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Audience, Member, Tenant, TenantStatus
from bridge.model.ticket import Ticket
from bridge.policy.authority import member_of
from bridge.policy.tickets import first_message, room_of_ticket, ticket_data, ticket_event, ticket_room_key
from bridge.ports import Act, Clock, Database, Entropy, Work

_SCOPE = "events:write"
_ID_LENGTH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody asks, and whom."""

    subject: str
    body: str
    audience: Audience
    opener: MemberID

    @property
    def sha256(self) -> bytes:
        """Tells two questions apart under one idempotency key."""
        words = (self.subject, self.body, self.audience.value, self.opener)
        return hashlib.sha256("\0".join(f"{len(word)}:{word}" for word in words).encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTicket:
    """Open a ticket as a person, or as an integration for one; the same id again answers the same ticket."""

    database: Database
    house: MatrixHouse
    entropy: Entropy
    clock: Clock

    async def __call__(
        self,
        tenant_id: TenantID,
        question: Question,
        *,
        idempotency_key: str | None,
        credential: SessionCredential | IntegrationCredential,
    ) -> tuple[Ticket, RoomID | None, Change]:
        """Return the ticket, its room once it stands, and the job; raises NotFound, Forbidden, KeyReused."""
        if isinstance(credential, IntegrationCredential):
            if credential.tenant_id != tenant_id:
                raise NotFound("there is no such tenant")
            if _SCOPE not in credential.scopes:
                raise Forbidden(f"this integration key does not have the scope '{_SCOPE}'")
        ticket_id = self._ticket_id(idempotency_key, credential)
        async with self.database.act(tenant_id, credential.actor) as act:
            await act.tenants.lock()
            tenant, opener = await _find_opener(act, question.opener, credential)
            earlier = await act.tickets.find(ticket_id)
            if earlier is not None:
                return await _answer_again(act, tenant, earlier, question)
            ticket, change = await open_ticket(act, ticket_id, question, opener, at=self.clock.now())
        return ticket, None, change

    def _ticket_id(self, key: str | None, credential: SessionCredential | IntegrationCredential) -> TicketID:
        """Return the id of the ticket: with a key always the same one, of the tenant's integrations or of a person."""
        whose = "integrations" if isinstance(credential, IntegrationCredential) else f"person {credential.member_id}"
        return new_ticket_id(self.entropy.token() if key is None else f"{whose}\0{key}")


def new_ticket_id(seed: str) -> TicketID:
    """Return the id that belongs to a seed."""
    return TicketID(hashlib.sha256(seed.encode("utf-8", "surrogateescape")).hexdigest()[:_ID_LENGTH])


async def _find_opener(
    act: Act, opener: MemberID, credential: SessionCredential | IntegrationCredential
) -> tuple[Tenant, Member]:
    tenant = await act.tenants.find()
    member = member_of(tenant, opener) if tenant else None
    if tenant is None or member is None or not member.active:
        if isinstance(credential, IntegrationCredential):
            raise NotFound(f"there is no person '{opener}' in this tenant", path="$.user_id")
        raise NotFound("there is no such tenant")
    if tenant.status is not TenantStatus.ACTIVE:
        raise Forbidden("this tenant is not active")
    return tenant, member


async def _answer_again(
    act: Act, tenant: Tenant, ticket: Ticket, question: Question
) -> tuple[Ticket, RoomID | None, Change]:
    act.nothing_changed()
    if await act.tickets.body_sha256(ticket.ticket_id) != question.sha256:
        raise KeyReused("this id was used before with another body; give a new ticket an id of its own")
    room_id = (await act.rooms.room_ids()).get(ticket.room_key)
    return ticket, room_id, Change(revision=tenant.revision, job_id=None)


async def open_ticket(
    act: Act, ticket_id: TicketID, question: Question, opener: Member, *, at: datetime
) -> tuple[Ticket, Change]:
    """Store a ticket and its room in a transaction that holds the tenant, and ask for the room."""
    ticket = Ticket(
        ticket_id=ticket_id,
        number=await act.tickets.next_number(),
        room_key=ticket_room_key(ticket_id),
        subject=question.subject,
        audience=question.audience,
        opener=opener.member_id,
        opened_at=at,
    )
    await act.tickets.add(ticket, first_message=question.body, body_sha256=question.sha256)
    await act.tenants.save_room(room_of_ticket(ticket))
    revision = await act.tenants.bump_revision()
    details = ticket_data(ticket) | {"revision": revision}
    await act.audit(AuditEntry(action="ticket.opened", target=ticket_id, details=details))
    await act.events.add(ticket_event("ticket.opened", ticket))
    # there is a room to make: no plan is needed to know it
    return ticket, Change(revision=revision, job_id=await act.jobs.enqueue(revision))


async def send_first_messages(work: Work, house: MatrixHouse) -> None:
    """Put the first messages of rooms that stand now into the outbox; each goes there once."""
    await work.tenants.lock()
    for ticket_id, (room_id, opener, text) in (await work.tickets.take_first_messages(house.bots.relay)).items():
        person = await work.people.find(opener)
        delivery_id = DeliveryID(f"dlv_ticket_{ticket_id}")
        await work.outbox.enqueue(
            Outgoing(
                room_id=room_id,
                sender=house.bots.relay,
                event_type="m.room.message",
                content=first_message(text, person.display_name if person else "", delivery_id),
                delivery_id=delivery_id,
            )
        )
