"""Do what a person commands in chat, and answer them, once, in the transaction that handles their message."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bridge.actions.change_ticket import change_ticket_in, sides_in
from bridge.actions.hear_ticket import time_of
from bridge.actions.open_direct_chat import open_direct_chat
from bridge.actions.open_ticket import Question, new_ticket_id, open_ticket
from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.errors import Forbidden, InvalidInput, NotFound
from bridge.model.audit import Actor
from bridge.model.event import MatrixEvent, Outgoing
from bridge.model.ids import DeliveryID, MemberID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import TenantStatus
from bridge.model.tenant_event import TenantEvent
from bridge.model.ticket import Ticket, TicketStatus, TicketWish
from bridge.policy.authority import member_of
from bridge.policy.commands import HELP, Command, CommandName, command_answer, number_of, person_of, question_of
from bridge.policy.tickets import Sides
from bridge.ports import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCommand:
    """One command of one person in a room of ours; the transaction holds the room's tenant."""

    house: MatrixHouse
    work: Work
    event: MatrixEvent

    async def __call__(self, command: Command) -> None:
        """Do it, tell the tenant's webhooks and answer; what is refused is answered with its sentence."""
        member_id = (await self.work.people.member_ids([self.event.sender])).get(self.event.sender)
        if member_id is None:
            return
        acts: Mapping[CommandName, Callable[[Command, MemberID], Awaitable[str]]] = {
            "ticket": self._open,
            "close": self._close,
            "reopen": self._reopen,
            "assign": self._assign,
            "dm": self._dm,
        }
        act = acts.get(command.name)
        try:
            async with self.work.savepoint():
                text = HELP if act is None else await act(command, member_id)
        except (NotFound, Forbidden, InvalidInput) as refusal:
            text = refusal.sentence[:1].upper() + refusal.sentence[1:] + "."
        if command.name == "unknown":
            text = f"There is no such command. {text}"
        await self._tell(command, member_id)
        await self._answer(text)

    async def _tell(self, command: Command, member_id: MemberID) -> None:
        keys = {room_id: key for key, room_id in (await self.work.rooms.room_ids()).items()}
        await self.work.events.add(
            TenantEvent(
                type="command",
                subject=self.event.event_id,
                room_key=keys.get(self.event.room_id),
                data={"command": command.name, "user_id": member_id},
            )
        )

    async def _answer(self, text: str) -> None:
        digest = hashlib.sha256(self.event.event_id.encode()).hexdigest()[:32]
        delivery_id = DeliveryID(f"dlv_command_{digest}")
        await self.work.outbox.enqueue(
            Outgoing(
                room_id=self.event.room_id,
                sender=self.house.bots.relay,
                event_type="m.room.message",
                content=command_answer(text, self.event, delivery_id),
                delivery_id=delivery_id,
            )
        )

    async def _open(self, command: Command, member_id: MemberID) -> str:
        asked = question_of(command.words)
        if asked is None:
            raise InvalidInput("a ticket needs a subject: !ticket <subject>")
        audience, subject, body = asked
        tenant = await self.work.tenants.find()
        opener = member_of(tenant, member_id) if tenant else None
        if tenant is None or opener is None or tenant.status is not TenantStatus.ACTIVE:
            raise Forbidden("only people of this tenant open tickets in it")
        question = Question(subject=subject, body=body, audience=audience, opener=member_id)
        ticket_id = new_ticket_id(f"command\0{self.event.event_id}")
        act = self.work.on_behalf_of(Actor.person(member_id))
        ticket, _ = await open_ticket(act, ticket_id, question, opener, at=time_of(self.event))
        return f"Ticket #{ticket.number} is open. Its room is about to stand in your list."

    async def _close(self, _: Command, member_id: MemberID) -> str:
        ticket = await self.work.tickets.find_in_room(self.event.room_id)
        return await self._change(ticket, TicketWish(status=TicketStatus.CLOSED), member_id, "closed")

    async def _reopen(self, command: Command, member_id: MemberID) -> str:
        number = number_of(command.words)
        if number is None:
            raise InvalidInput("say which ticket: !reopen <number>")
        ticket = await self.work.tickets.find_number(number)
        return await self._change(ticket, TicketWish(status=TicketStatus.OPEN), member_id, "open again")

    async def _assign(self, command: Command, member_id: MemberID) -> str:
        found = await self._person_of(command)
        if found is None:
            raise InvalidInput("say who answers it: !assign @person")
        ticket = await self.work.tickets.find_in_room(self.event.room_id)
        return await self._change(ticket, TicketWish(assignee=found), member_id, "assigned")

    async def _dm(self, command: Command, member_id: MemberID) -> str:
        found = await self._person_of(command)
        if found is None:
            raise InvalidInput("say with whom: !dm @person")
        act = self.work.on_behalf_of(Actor.person(member_id))
        await open_direct_chat(act, member_id, found)
        await ask_for_reconcile(act, self.house)
        return "Your direct chat is about to stand in your list."

    async def _person_of(self, command: Command) -> MemberID | None:
        user_id = person_of(command)
        return (await self.work.people.member_ids([user_id])).get(user_id) if user_id else None

    async def _change(self, ticket: Ticket | None, wish: TicketWish, member_id: MemberID, state: str) -> str:
        sides: Sides = await sides_in(self.work, ticket, member_id) if ticket else frozenset()
        if ticket is None or not sides:
            raise NotFound("there is no such ticket here")
        act = self.work.on_behalf_of(Actor.person(member_id))
        await change_ticket_in(act, self.house, ticket, wish, sides, by=member_id, at=time_of(self.event))
        return f"Ticket #{ticket.number} is {state}."
