"""Support tickets, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bridge.model.ids import EventID, MemberID, RoomID, TicketID, UserID
from bridge.model.tenant import Role
from bridge.model.ticket import Ticket, TicketFigures, TicketLine, TicketQuery, TicketStatus
from tests.unit.fake_stores import Store


class FakeTickets(Store):
    @property
    def _own(self) -> list[Ticket]:
        return [ticket for (owner, _), ticket in self._memory.tickets.items() if owner == self._tenant_id]

    async def next_number(self) -> int:
        return max((ticket.number for ticket in self._own), default=0) + 1

    async def add(self, ticket: Ticket, *, first_message: str, body_sha256: bytes) -> None:
        key = self._tenant_id, ticket.ticket_id
        self._memory.tickets[key] = ticket
        self._memory.first_messages[key] = first_message
        self._memory.ticket_digests[key] = body_sha256

    async def save(self, ticket: Ticket) -> None:
        self._memory.tickets[self._tenant_id, ticket.ticket_id] = ticket

    async def find(self, ticket_id: TicketID) -> Ticket | None:
        return self._memory.tickets.get((self._tenant_id, ticket_id))

    async def find_number(self, number: int) -> Ticket | None:
        return next((ticket for ticket in self._own if ticket.number == number), None)

    async def find_in_room(self, room_id: RoomID) -> Ticket | None:
        key = self._memory.rooms[room_id][1]
        return next((ticket for ticket in self._own if ticket.room_key == key), None)

    async def role_of(self, member_id: MemberID) -> Role | None:
        return self._memory.memberships.get(self._tenant_id, {}).get(member_id)

    async def body_sha256(self, ticket_id: TicketID) -> bytes | None:
        return self._memory.ticket_digests.get((self._tenant_id, ticket_id))

    async def lines(self, query: TicketQuery, *, asker: UserID) -> Sequence[TicketLine]:
        found = [
            ticket
            for ticket in self._own
            if ticket.number > query.after
            and (ticket.opener == query.opener or (query.audience is not None and ticket.audience is query.audience))
            and (query.status is None or ticket.status is query.status)
            and (query.assignee is None or ticket.assignee == query.assignee)
        ]
        return await self.lines_of([t.ticket_id for t in found][: query.limit], asker=asker)

    async def lines_of(self, ticket_ids: Sequence[TicketID], *, asker: UserID) -> Sequence[TicketLine]:
        rooms = {key: room_id for room_id, (owner, key, _) in self._memory.rooms.items() if owner == self._tenant_id}
        return [
            TicketLine(
                tenant_id=self._tenant_id,
                ticket=ticket,
                room_id=rooms.get(ticket.room_key),
                unread=sum(
                    event.room_id == rooms.get(ticket.room_key) and event.sender != asker
                    for event in self._memory.messages.values()
                ),
                last_message_at=None,
            )
            for ticket in self._own
            if ticket.ticket_id in ticket_ids
        ]

    async def figures(self, *, days: int) -> TicketFigures:
        assert days > 0
        counts = {status.value: sum(t.status is status for t in self._own) for status in TicketStatus}
        return TicketFigures(
            counts=counts,
            opened=len(self._own),
            first_reply_median=None,
            first_reply_p90=None,
            resolution_median=None,
            resolution_p90=None,
            satisfaction=None,
        )

    async def take_first_messages(self, relay: UserID) -> Mapping[TicketID, tuple[RoomID, MemberID, str]]:
        rooms = {key: room_id for room_id, (owner, key, _) in self._memory.rooms.items() if owner == self._tenant_id}
        taken: dict[TicketID, tuple[RoomID, MemberID, str]] = {}
        for ticket in self._own:
            room_id = rooms.get(ticket.room_key)
            join = self._memory.state.get((room_id, "m.room.member", relay)) if room_id else None
            key = self._tenant_id, ticket.ticket_id
            if room_id and join and join.content["membership"] == "join" and key in self._memory.first_messages:
                taken[ticket.ticket_id] = room_id, ticket.opener, self._memory.first_messages.pop(key)
        return taken

    async def unassign(self, member_id: MemberID) -> Sequence[Ticket]:
        lost = [t for t in self._own if t.assignee == member_id and t.status is not TicketStatus.CLOSED]
        changed = [replace(ticket, assignee=None, revision=ticket.revision + 1) for ticket in lost]
        for ticket in changed:
            await self.save(ticket)
        return changed

    async def is_answer_to_question(self, event_id: EventID, ticket: Ticket) -> bool:
        found = self._memory.messages.get(event_id)
        return found is not None and found.content.get("com.bitnexus.delivery_id") == ticket.question_id

    async def forget_words(self, member_id: MemberID) -> None:
        for ticket in self._own:
            if ticket.opener == member_id:
                await self.save(replace(ticket, subject=""))
                self._memory.first_messages.pop((self._tenant_id, ticket.ticket_id), None)
