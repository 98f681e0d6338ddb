"""Send what waits in a room's outbox, in order."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from bridge.actions.answer_message import AnswerMessage
from bridge.errors import DependencyFailed, HomeserverRefused
from bridge.model.event import OutboxItem, Outcome, Refused, Sent
from bridge.model.ids import RoomID
from bridge.model.job import Lane
from bridge.policy.txn_ids import txn_id_of
from bridge.ports import Clock, Database, Homeserver

BATCH = 20

TXN_ID_LIFETIME = timedelta(hours=23)
"""Synapse knows a device's transaction ids for a day; after this, an attempt may have been forgotten."""

POISON_FAILURES = 10
POISON_AGE = timedelta(minutes=5)
"""So often, and since so long, has the homeserver to fail with one message before it is given up."""


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
            # after an unexpected failure one by one, so that the one to blame stands alone
            items = await work.outbox.take_up(lane, limit=1 if lane.faults else BATCH)
        recording: asyncio.Task[None] | None = None
        try:
            for item in items:
                outcome = await self._deliver(lane, item)
                if recording is not None:
                    await recording
                recording = asyncio.create_task(self._record(lane, item, outcome))
                if isinstance(outcome, Refused):
                    # never sent again, before anything behind it is
                    await recording
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

    async def _record(self, lane: Lane, item: OutboxItem, outcome: Outcome) -> None:
        async with self.database.work(item.tenant_id) as work:
            await work.outbox.finish(lane, item.outbox_id, outcome)

    async def _deliver(self, lane: Lane, item: OutboxItem) -> Outcome:
        try:
            return await self._send_once(item)
        except HomeserverRefused as error:
            return Refused(error=error.sentence)
        except DependencyFailed as error:
            # a failure that only this message meets, again and again, is the message's
            if self._is_tried_enough(item) and await self.homeserver.can_write():
                return Refused(error=f"given up after {item.failures + 1} failures: {error.sentence}")
            async with self.database.work(item.tenant_id) as work:
                await work.outbox.record_failure(lane, item.outbox_id)
            raise

    def _is_tried_enough(self, item: OutboxItem) -> bool:
        if item.failures + 1 < POISON_FAILURES or item.first_attempt_at is None:
            return False
        return self.clock.now() - item.first_attempt_at >= POISON_AGE

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
