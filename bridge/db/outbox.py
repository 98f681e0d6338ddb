"""The outbox of one tenant: messages frozen before their first attempt, and the deliveries of integrations."""

from collections.abc import Sequence
from datetime import datetime

from bridge.db.connection import Connection, rows_of
from bridge.db.lanes import add_to_lane, take_from_lane
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
            " delivery_id FROM outbox"
            " WHERE tenant_id = $1 AND room_id = $2 AND state = 'pending' ORDER BY outbox_id LIMIT $3",
            self._tenant_id,
            room_id,
            limit,
        )
        return [OutboxItem(tenant_id=self._tenant_id, **dict(row)) for row in rows]

    async def record_attempts(self, outbox_ids: Sequence[OutboxID]) -> None:
        await self._connection.execute(
            "UPDATE outbox SET attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, now())"
            " WHERE tenant_id = $1 AND outbox_id = ANY($2)",
            self._tenant_id,
            list(outbox_ids),
        )

    async def finish(self, lane: Lane, outbox_id: OutboxID, outcome: Outcome) -> None:
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
        await take_from_lane(self._connection, lane, count=finished)

    async def acknowledge_echo(self, event: MatrixEvent, delivery_id: DeliveryID) -> bool:
        status = await self._connection.execute(
            "WITH echoed AS (UPDATE outbox SET state = 'sent', event_id = $5, acknowledged_by = 'echo',"
            "  finished_at = now() WHERE tenant_id = $1 AND room_id = $2 AND delivery_id = $3 AND sender = $4"
            "  AND state = 'pending' AND attempts > 0 RETURNING room_id)"
            " UPDATE lanes SET pending = greatest(pending - 1, 0)"
            " FROM echoed WHERE queue = 'outbox' AND lane_key = echoed.room_id",
            self._tenant_id,
            event.room_id,
            delivery_id,
            event.sender,
            event.event_id,
        )
        is_first = rows_of(status) > 0
        OUTBOX_FINISHED.labels("echo").inc(is_first)
        return is_first

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
