"""Take what is said in a ticket's room for what it means to the ticket: whose turn it is, and how it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.actions.change_ticket import change_ticket_in, sides_in
from bridge.errors import BitnexusError
from bridge.model.audit import Actor
from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, MemberID
from bridge.model.room import MatrixHouse, RoomKind
from bridge.model.tenant import RoomType
from bridge.model.ticket import Ticket
from bridge.policy.tickets import Sides, after_message, wish_of_reaction
from bridge.ports import Work


def is_of_ticket(kind: RoomKind) -> bool:
    """Say whether a room is a ticket's: a support room that was made on demand."""
    return kind.personal and kind.type == RoomType.SUPPORT


def time_of(event: MatrixEvent) -> datetime:
    """Return when an event was made."""
    return datetime.fromtimestamp(event.origin_server_ts / 1000, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class HearTicket:
    """Follow one event of a ticket's room, in the transaction that handles it."""

    house: MatrixHouse

    async def message(self, work: Work, event: MatrixEvent) -> None:
        """Hand the turn over."""
        ticket, _, sides = await self._known(work, event)
        if ticket is None:
            return
        changed = after_message(ticket, sides, time_of(event))
        if changed != ticket:
            await work.tickets.save(changed)

    async def reaction(self, work: Work, event: MatrixEvent) -> None:
        """Take an answer to the closing question."""
        relation = event.content.get("m.relates_to")
        if event.event_type != "m.reaction" or not isinstance(relation, Mapping):
            return
        wish, target = wish_of_reaction(str(relation.get("key"))), relation.get("event_id")
        if wish is None or not isinstance(target, str):
            return
        ticket, member_id, sides = await self._known(work, event)
        if ticket is None or member_id is None or "opener" not in sides:
            return
        if not await work.tickets.is_answer_to_question(EventID(target), ticket):
            return
        try:
            act = work.on_behalf_of(Actor.person(member_id))
            await change_ticket_in(act, self.house, ticket, wish, sides, by=member_id, at=time_of(event))
        except BitnexusError:
            return  # too late for it: the ticket is open again, or its tenant is not active

    async def _known(self, work: Work, event: MatrixEvent) -> tuple[Ticket | None, MemberID | None, Sides]:
        ticket = await work.tickets.find_in_room(event.room_id)
        member_id = (await work.people.member_ids([event.sender])).get(event.sender)
        sides: Sides = await sides_in(work, ticket, member_id) if ticket and member_id else frozenset()
        return ticket, member_id, sides
