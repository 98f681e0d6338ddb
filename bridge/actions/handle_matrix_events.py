"""Take what Synapse has sent of one room, in order, into the read model, and ask for what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.actions.hear_ticket import HearTicket, is_of_ticket
from bridge.actions.run_command import RunCommand
from bridge.errors import BitnexusError, DependencyDown
from bridge.model.event import InboxItem, MatrixEvent, Outgoing, Receipt
from bridge.model.ids import PLATFORM, RoomID, RoomKey, TenantID, UserID
from bridge.model.job import Lane
from bridge.model.room import MatrixHouse, RoomKind
from bridge.model.tenant import RoomType
from bridge.policy.assistant import wants_answer
from bridge.policy.commands import Command, read_command
from bridge.policy.drift import is_drift
from bridge.policy.layout import CREATION_KEY, CREATION_TENANT, lay_out, type_of_key
from bridge.policy.projection import (
    EditMessage,
    NewMessage,
    NewState,
    NoMeaning,
    RedactMessage,
    delivery_of,
    has_left,
    read_event,
)
from bridge.ports import Database, Work

BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleMatrixEvents:
    """Handle the next events of a room's lane in one transaction: all of it happens, or none."""

    database: Database
    house: MatrixHouse

    async def __call__(self, lane: Lane) -> int:
        """Handle up to 20 events and return how many; raises DependencyDown, and then they stay."""
        room_id = RoomID(lane.lane_key)
        tenant_id = lane.tenant_id or await self.database.tenant_of_room(room_id)
        if tenant_id is None:
            tenant_id = await self._adopt(room_id)
        if tenant_id is None:
            return await self._set_aside(lane, room_id)
        async with self.database.work(tenant_id) as work:
            # after an unexpected failure one by one, so that the one to blame stands alone
            items = await work.inbox.pending(room_id, limit=1 if lane.faults else BATCH)
            await self._handle(work, room_id, items)
            await work.inbox.finish(replace(lane, tenant_id=tenant_id), items)
        return len(items)

    async def bury(self, lane: Lane, error: str) -> None:
        """Put the lane's head into quarantine."""
        async with self.database.work(PLATFORM) as work:
            items = await work.inbox.pending(RoomID(lane.lane_key), limit=1)
            for item in items:
                await work.inbox.quarantine(item, error)
            await work.inbox.finish(lane, items)

    async def _set_aside(self, lane: Lane, room_id: RoomID) -> int:
        """Keep events of a room that is not known; 0 when it has become known meanwhile.

        Whoever makes a room known recalls its events, and has to wait for the lane: either our events are among those,
        or we see the room.
        """
        async with self.database.work(PLATFORM) as work:
            await work.inbox.hold(lane)
            if await self.database.tenant_of_room(room_id) is not None:
                return 0
            items = await work.inbox.pending(room_id, limit=BATCH)
            await work.inbox.set_aside(lane, items)
        return len(items)

    async def _adopt(self, room_id: RoomID) -> TenantID | None:
        """Take up a room that we created without having seen the answer: its birth certificate names it."""
        async with self.database.work(PLATFORM) as work:
            items = await work.inbox.pending(room_id, limit=BATCH)
        events = [item.body for item in items if isinstance(item.body, MatrixEvent)]
        birth = next((event for event in events if event.event_type == "m.room.create"), None)
        if birth is None or birth.sender != self.house.bots.creator:
            return None
        tenant_id, key = birth.content.get(CREATION_TENANT), birth.content.get(CREATION_KEY)
        if not isinstance(tenant_id, str) or not isinstance(key, str):
            return None
        async with self.database.work(TenantID(tenant_id)) as work:
            tenant = await work.tenants.find()
            room_type = type_of_key(tenant, RoomKey(key)) if tenant else None
            if room_type is None:
                return None
            await work.rooms.record_room(room_id, RoomKey(key), room_type)
            is_ours = (await work.rooms.room_ids()).get(RoomKey(key)) == room_id
            await work.inbox.recall(room_id)
        return TenantID(tenant_id) if is_ours else None

    async def _handle(self, work: Work, room_id: RoomID, items: Sequence[InboxItem]) -> None:
        kind = await work.rooms.find_kind(room_id) or RoomKind(type="", personal=False)
        if is_of_ticket(kind) or any(self._command(kind, item.body) for item in items):
            await work.tenants.lock()  # before any lane: whoever changes a ticket takes locks in this order
        news: list[MatrixEvent] = []
        for item in items:
            try:
                async with work.savepoint():
                    news += await self._take(work, kind, item.body)
            except DependencyDown:
                raise
            except (BitnexusError, ValueError, TypeError, OverflowError) as error:
                await work.inbox.quarantine(item, f"{type(error).__name__}: {error}")
        if news:
            await self._mend_drift(work, room_id, news)

    async def _take(self, work: Work, kind: RoomKind, body: MatrixEvent | Receipt) -> Sequence[MatrixEvent]:
        """Store what an event means, and return it when it is news of the room's state."""
        if isinstance(body, Receipt):
            await work.messages.record_receipt(body)
            return ()
        if body.sender in self.house.bots.all and (delivery_id := delivery_of(body)) is not None:
            await work.outbox.acknowledge_echo(body, delivery_id)
        return await self._project(work, kind, body)

    async def _project(self, work: Work, kind: RoomKind, body: MatrixEvent) -> Sequence[MatrixEvent]:
        match read_event(body):
            case NewMessage():
                if await work.messages.add(body):
                    await self._hear(work, kind, body)
            case EditMessage(event_id=event_id, content=content):
                await work.messages.edit(event_id, edit=body, content=content)
            case RedactMessage(event_id=event_id):
                await work.messages.redact(event_id, redaction=body)
            case NewState():
                return await _record_state(work, kind, body)
            case NoMeaning():
                if is_of_ticket(kind):
                    await HearTicket(house=self.house).reaction(work, body)
        return ()

    async def _hear(self, work: Work, kind: RoomKind, body: MatrixEvent) -> None:
        """Take a new message for what it asks of us."""
        if wants_answer(body, kind, self.house.bots):
            await work.outbox.enqueue(self._question(body))
        if command := self._command(kind, body):
            await RunCommand(house=self.house, work=work, event=body)(command)
        elif is_of_ticket(kind):
            await HearTicket(house=self.house).message(work, body)

    def _command(self, kind: RoomKind, body: MatrixEvent | Receipt) -> Command | None:
        return read_command(body, kind, self.house.bots) if isinstance(body, MatrixEvent) else None

    def _question(self, event: MatrixEvent) -> Outgoing:
        return Outgoing(
            room_id=event.room_id,
            sender=self.house.bots.assistant,
            event_type="m.room.message",
            content={"question": event.event_id},
            kind="answer",
        )

    async def _mend_drift(self, work: Work, room_id: RoomID, news: Sequence[MatrixEvent]) -> None:
        tenant = await work.tenants.find()
        if tenant is None:
            return
        room_ids = await work.rooms.room_ids()
        desired = lay_out(tenant, self.house, room_ids)
        room = next((desired.rooms.get(key) for key, found in room_ids.items() if found == room_id), None)
        if room and any(is_drift(event, room, self.house.bots) for event in news):
            await work.jobs.enqueue(tenant.revision)


async def _record_state(work: Work, kind: RoomKind, event: MatrixEvent) -> Sequence[MatrixEvent]:
    news = await work.rooms.record_state([event])
    is_of_direct_chat = kind.type == RoomType.DM and event.event_type == "m.room.member"
    # a reconcile that has read the room may have stored it before us: then it is no news, and still to be heard
    if is_of_direct_chat and await work.rooms.is_current(event):
        who = UserID(event.state_key or "")
        others = [chat.other for chat in await work.rooms.direct_chats(who) if chat.room_id == event.room_id]
        await work.person_tasks.enqueue("direct_list", (await work.people.member_ids([who, *others])).values())
        if has_left(event):
            await _let_go(work, event.room_id, who)
    return news


async def _let_go(work: Work, room_id: RoomID, user_id: UserID) -> None:
    """Take who has left a direct chat off its list until it is opened again, and have our creator look after it."""
    if await work.tenants.unlist(room_id, user_id):
        await work.jobs.enqueue(await work.tenants.bump_revision())
