"""Send what waits in a room's outbox, in order."""

from dataclasses import dataclass

from bridge.actions.answer_message import AnswerMessage
from bridge.errors import HomeserverRefused
from bridge.model.event import OutboxItem
from bridge.model.ids import EventID, RoomID
from bridge.model.job import Lane
from bridge.policy.txn_ids import txn_id_of
from bridge.ports import Database, Homeserver

BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessages:
    """Send the next messages of a room's lane; a permanent refusal makes a dead letter, and the lane goes on."""

    database: Database
    homeserver: Homeserver
    answer: AnswerMessage

    async def __call__(self, lane: Lane) -> int:
        """Send up to 20 messages and return how many; raises DependencyDown at the first that has to wait."""
        if lane.tenant_id is None:  # pragma: no cover - an outbox lane is made with its tenant
            return 0
        async with self.database.work(lane.tenant_id) as work:
            items = await work.outbox.pending(RoomID(lane.lane_key), limit=BATCH)
            await work.outbox.record_attempts([item.outbox_id for item in items])
        for item in items:
            event_id, error = await self._deliver(item)
            async with self.database.work(lane.tenant_id) as work:
                await work.outbox.finish(lane, item.outbox_id, event_id=event_id, error=error)
        return len(items)

    async def _deliver(self, item: OutboxItem) -> tuple[EventID | None, str | None]:
        try:
            if item.kind == "answer":
                return await self.answer(item), None
            event_id = await self.homeserver.send(
                item.room_id, item.sender, item.event_type, item.content, txn_id=txn_id_of(item)
            )
        except HomeserverRefused as error:
            return None, error.sentence
        return event_id, None
