"""The outbox of one tenant: messages frozen before their first attempt, and the deliveries of integrations."""

from collections.abc import Sequence
from datetime import datetime

from bridge.db.connection import Connection, rows_of
from bridge.db.lanes import add_to_lane, give_back, hold_lane, take_from_lane
from bridge.model.event import BusinessEvent, Delivery, MatrixEvent, OutboxItem, Outcome, Outgoing, Refused
from bridge.model.ids import DeliveryID, OutboxID, RoomID, RoomKey, TenantID
from bridge.model.job import Lane
from bridge.ports import Queue
from bridge.telemetry import OUTBOX_FINISHED


class OutboxStore:
    """Implements the port ``Outbox``."""

    def __init__(self, connection: Connection, tenant_id: TenantID, woken: set[Queue]) -> None:
        self._connection, self._tenant_id, self._woken = connection, tenant_id, woken

    async def enqueue(self, message: Outgoing) -> OutboxID:
        outbox_id: int = await self._connection.fetchval(
            "INSERT INTO outbox (tenant_id, room_id, kind, sender, event_type, content, delivery_id)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING outbox_id",
            self._tenant_id,
            message.room_id,
            message.kind,
            message.sender,
            message.event_type,
            message.content,
            message.delivery_id,
        )
        await add_to_lane(self._connection, "outbox", message.room_id, self._tenant_id)
        self._woken.add("outbox")
        return OutboxID(outbox_id)

    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[OutboxItem]:
        rows = await self._connection.fetch(
            "SELECT outbox_id, room_id, kind, sender, event_type, content, nonce::text, attempts, first_attempt_at,"
            " failures, delivery_id FROM outbox"
            " WHERE tenant_id = $1 AND room_id = $2 AND state = 'pending' ORDER BY outbox_id LIMIT $3",
            self._tenant_id,
            room_id,
            limit,
        )
        return [OutboxItem(tenant_id=self._tenant_id, **dict(row)) for row in rows]

    async def take_up(self, lane: Lane, *, limit: int) -> Sequence[OutboxItem]:
        await hold_lane(self._connection, lane)
        items = await self.pending(RoomID(lane.lane_key), limit=limit)
        await self._connection.execute(
            "UPDATE outbox SET attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, now())"
            " WHERE tenant_id = $1 AND outbox_id = ANY($2)",
            self._tenant_id,
            [item.outbox_id for item in items],
        )
        return items

    async def record_failure(self, lane: Lane, outbox_id: OutboxID) -> None:
        await hold_lane(self._connection, lane)
        await self._connection.execute(
            "UPDATE outbox SET failures = failures + 1 WHERE tenant_id = $1 AND outbox_id = $2",
            self._tenant_id,
            outbox_id,
        )

    async def finish(self, lane: Lane, outbox_id: OutboxID, outcome: Outcome) -> None:
        await take_from_lane(self._connection, lane, count=1)
        status = await self._connection.execute(
            "UPDATE outbox SET state = $3, event_id = $4, error = $5, acknowledged_by = $6, finished_at = now()"
            " WHERE tenant_id = $1 AND outbox_id = $2 AND state = 'pending'",
            self._tenant_id,
            outbox_id,
            "dead" if isinstance(outcome, Refused) else "sent",
            None if isinstance(outcome, Refused) else outcome.event_id,
            outcome.error if isinstance(outcome, Refused) else None,
            None if isinstance(outcome, Refused) else outcome.acknowledged_by,
        )
        finished = rows_of(status)  # none when the echo was faster
        OUTBOX_FINISHED.labels("dead" if isinstance(outcome, Refused) else outcome.acknowledged_by).inc(finished)
        await give_back(self._connection, lane, count=1 - finished)

    async def acknowledge_echo(self, event: MatrixEvent, delivery_id: DeliveryID) -> bool:
        outbox_id: int | None = await self._connection.fetchval(
            "SELECT outbox_id FROM outbox WHERE tenant_id = $1 AND room_id = $2 AND delivery_id = $3 AND sender = $4"
            " AND state IN ('pending', 'dead') AND attempts > 0",
            self._tenant_id,
            event.room_id,
            delivery_id,
            event.sender,
        )
        if outbox_id is None:
            return False
        # the lane before the row; and what goes through now need not wait any longer
        await self._connection.execute(
            "UPDATE lanes SET attempts = 0, faults = 0, error = NULL, not_before = least(not_before, now())"
            " WHERE queue = 'outbox' AND lane_key = $1",
            event.room_id,
        )
        is_first = await self._record_echo(OutboxID(outbox_id), event)
        OUTBOX_FINISHED.labels("echo").inc(is_first)
        self._woken.add("outbox")
        return is_first

    async def _record_echo(self, outbox_id: OutboxID, event: MatrixEvent) -> bool:
        """Mark a message sent, a dead letter too: it stands in the room. Its lane is locked by now."""
        states = ("pending", "dead")
        for state in states:
            status = await self._connection.execute(
                "UPDATE outbox SET state = 'sent', event_id = $4, error = NULL, acknowledged_by = 'echo',"
                " finished_at = now() WHERE tenant_id = $1 AND outbox_id = $2 AND state = $3",
                self._tenant_id,
                outbox_id,
                state,
                event.event_id,
            )
            if rows_of(status):
                taken = -1 if state == "pending" else 0
                await add_to_lane(self._connection, "outbox", event.room_id, self._tenant_id, count=taken)
                return True
        return False

    async def find_receipt(self, idempotency_key: str) -> tuple[bytes, Sequence[DeliveryID]] | None:
        row = await self._connection.fetchrow(
            "SELECT body_sha256, delivery_ids FROM event_receipts WHERE tenant_id = $1 AND idempotency_key = $2",
            self._tenant_id,
            idempotency_key,
        )
        return (row["body_sha256"], row["delivery_ids"]) if row else None

    async def claim_idempotency_key(self, key: str, body_sha256: bytes, delivery_ids: Sequence[DeliveryID]) -> bool:
        status = await self._connection.execute(
            # a key older than seven days is free again, swept away or not
            "INSERT INTO event_receipts AS r (tenant_id, idempotency_key, body_sha256, delivery_ids)"
            " VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, idempotency_key) DO UPDATE"
            " SET body_sha256 = $3, delivery_ids = $4, created_at = now()"
            " WHERE r.created_at < now() - interval '7 days'",
            self._tenant_id,
            key,
            body_sha256,
            list(delivery_ids),
        )
        return status == "INSERT 0 1"

    async def forget_receipts(self, before: datetime) -> int:
        status = await self._connection.execute(
            "DELETE FROM event_receipts WHERE tenant_id = $1 AND created_at < $2", self._tenant_id, before
        )
        return rows_of(status)

    async def add_delivery(
        self, delivery_id: DeliveryID, *, event: BusinessEvent, key_id: str, room_key: RoomKey, message: Outgoing
    ) -> None:
        outbox_id = await self.enqueue(message)
        await self._connection.execute(
            "INSERT INTO deliveries (delivery_id, tenant_id, key_id, room_id, room_key, event_type, outbox_id)"
            " VALUES ($1, $2, $3::text::uuid, $4, $5, $6, $7)",
            delivery_id,
            self._tenant_id,
            key_id,
            message.room_id,
            room_key,
            event.type,
            outbox_id,
        )

    async def find_delivery(self, delivery_id: DeliveryID) -> Delivery | None:
        row = await self._connection.fetchrow(
            "SELECT d.delivery_id, d.room_id, d.room_key, d.event_type, o.state, o.event_id, o.error"
            " FROM deliveries d JOIN outbox o USING (outbox_id) WHERE d.tenant_id = $1 AND d.delivery_id = $2",
            self._tenant_id,
            delivery_id,
        )
        if row is None:
            return None
        return Delivery(
            delivery_id=row["delivery_id"],
            state={"pending": "queued", "sent": "delivered", "dead": "dead"}[row["state"]],  # type: ignore[arg-type]
            room_id=row["room_id"],
            room_key=row["room_key"],
            type=row["event_type"],
            event_id=row["event_id"],
            error=row["error"],
        )
