"""Send what waits in a room's outbox, in order."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from bridge.actions.answer_message import AnswerMessage
from bridge.errors import DependencyFailed, HomeserverRefused
from bridge.model.event import OutboxItem, Outcome, Refused, Sent
from bridge.model.ids import OutboxID, RoomID, TenantID
from bridge.model.job import Lane
from bridge.policy.txn_ids import txn_id_of
from bridge.ports import Clock, Database, Homeserver

BATCH = 20

TXN_ID_LIFETIME = timedelta(hours=23)
"""Synapse knows a device's transaction ids for a day; after this, an attempt may have been forgotten."""

POISON_ATTEMPTS = 10
"""With the waits between them about eight minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessages:
    """Send the next messages of a room's lane; a permanent refusal makes a dead letter, and the lane goes on."""

    database: Database
    homeserver: Homeserver
    answer: AnswerMessage
    clock: Clock

    async def __call__(self, lane: Lane) -> int:
        """Send up to 20 messages and return how many; raises DependencyDown at the first that has to wait.

        A result is recorded while the next message is under way. Whoever takes the lane over meanwhile begins at the
        first that is not recorded, with the same transaction ids, so that no message passes another.
        """
        if lane.tenant_id is None:  # pragma: no cover - an outbox lane is made with its tenant
            return 0
        async with self.database.work(lane.tenant_id) as work:
            items = await work.outbox.pending(RoomID(lane.lane_key), limit=BATCH)
            await work.outbox.record_attempts([item.outbox_id for item in items])
        recording: asyncio.Task[None] | None = None
        try:
            for item in items:
                outcome = await self._deliver(item, failures=lane.attempts if item is items[0] else 0)
                if recording is not None:
                    await recording
                recording = asyncio.create_task(self._record(lane, lane.tenant_id, item.outbox_id, outcome))
        finally:
            if recording is not None:
                await recording
        return len(items)

    async def bury(self, lane: Lane, error: str) -> None:
        """Make the lane's head a dead letter."""
        if lane.tenant_id is None:  # pragma: no cover - as above
            return
        async with self.database.work(lane.tenant_id) as work:
            for item in await work.outbox.pending(RoomID(lane.lane_key), limit=1):
                await work.outbox.finish(lane, item.outbox_id, Refused(error=error))

    async def _record(self, lane: Lane, tenant_id: TenantID, outbox_id: OutboxID, outcome: Outcome) -> None:
        async with self.database.work(tenant_id) as work:
            await work.outbox.finish(lane, outbox_id, outcome)

    async def _deliver(self, item: OutboxItem, *, failures: int) -> Outcome:
        try:
            return await self._send_once(item)
        except HomeserverRefused as error:
            return Refused(error=error.sentence)
        except DependencyFailed as error:
            # a failure that only this message meets, again and again, is the message's
            if failures < POISON_ATTEMPTS or not await self.homeserver.can_write():
                raise
            return Refused(error=f"given up after {failures} failures: {error.sentence}")

    async def _send_once(self, item: OutboxItem) -> Outcome:
        is_old = item.first_attempt_at is not None and self.clock.now() - item.first_attempt_at > TXN_ID_LIFETIME
        if item.kind == "answer":
            return Refused(error="the question is too old") if is_old else Sent(event_id=await self.answer(item))
        if is_old and item.delivery_id is not None and item.first_attempt_at is not None:
            found = await self.homeserver.find_sent(
                item.room_id, item.sender, item.delivery_id, since=item.first_attempt_at
            )
            if found is not None:
                return Sent(event_id=found, acknowledged_by="timeline")
        event_id = await self.homeserver.send(
            item.room_id, item.sender, item.event_type, item.content, txn_id=txn_id_of(item)
        )
        return Sent(event_id=event_id)
