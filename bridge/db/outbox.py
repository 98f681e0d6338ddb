"""The outbox of one tenant: messages frozen before their first attempt, and the deliveries of integrations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from bridge.db.connection import Connection, rows_of
from bridge.db.lanes import LaneLost, finish_items, hold_lane
from bridge.model.event import BusinessEvent, Delivery, MatrixEvent, OutboxItem, Outcome, Outgoing, Refused
from bridge.model.ids import DeliveryID, OutboxID, RoomID, RoomKey, TenantID
from bridge.model.job import Lane
from bridge.ports import Queue
from bridge.telemetry import OUTBOX_FINISHED

_COLUMNS: Final = (
    "outbox_id, room_id, kind, sender, event_type, content, nonce::text, attempts, first_attempt_at, failures,"
    " delivery_id"
)

_ENQUEUED: Final = (
    "message AS (INSERT INTO outbox (tenant_id, room_id, kind, sender, event_type, content, delivery_id)"
    "  VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING outbox_id),"
    " waiting AS (INSERT INTO lanes AS l (queue, lane_key, tenant_id, pending) VALUES ('outbox', $2, $1, 1)"
    "  ON CONFLICT (queue, lane_key) DO UPDATE SET pending = l.pending + 1, tenant_id = coalesce(l.tenant_id, $1)"
    "  RETURNING lease_until <= now() AS is_free)"
)
"""Puts a message into the outbox and into its room's lane, in one statement with what follows.

Nobody need be woken for a lane that is held: whoever holds it looks, when letting go, whether more has come.
"""


class OutboxStore:
    """Implements the port ``Outbox``."""

    def __init__(self, connection: Connection, tenant_id: TenantID, woken: set[Queue]) -> None:
        self._connection, self._tenant_id, self._woken = connection, tenant_id, woken

    async def enqueue(self, message: Outgoing) -> OutboxID:
        row = await self._connection.fetchrow(
            f"WITH {_ENQUEUED} SELECT outbox_id, is_free FROM message, waiting",  # noqa: S608 - a literal of ours
            *self._values(message),
        )
        if row is None:  # pragma: no cover - both statements return a row
            raise RuntimeError("the outbox did not take a message")
        self._wake_for(is_free=row["is_free"])
        return OutboxID(row["outbox_id"])

    def _values(self, message: Outgoing) -> tuple[object, ...]:
        """Return the values of the statement ``_ENQUEUED``."""
        return (
            self._tenant_id,
            message.room_id,
            message.kind,
            message.sender,
            message.event_type,
            message.content,
            message.delivery_id,
        )

    def _wake_for(self, *, is_free: bool) -> None:
        if is_free:
            self._woken.add("outbox")

    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[OutboxItem]:
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM outbox"  # noqa: S608 - a literal of ours
            " WHERE tenant_id = $1 AND room_id = $2 AND state = 'pending' ORDER BY outbox_id LIMIT $3",
            self._tenant_id,
            room_id,
            limit,
        )
        return [self._item(row) for row in rows]

    def _item(self, row: asyncpg.Record) -> OutboxItem:
        return OutboxItem(tenant_id=self._tenant_id, **dict(row))

    async def take_up(self, lane: Lane, *, limit: int) -> Sequence[OutboxItem]:
        rows = await self._connection.fetch(
            "WITH held AS MATERIALIZED (SELECT FROM lanes WHERE queue = $1 AND lane_key = $2 AND fence = $3"  # noqa: S608 - as above
            "  FOR NO KEY UPDATE),"
            f" next AS MATERIALIZED (SELECT {_COLUMNS} FROM outbox WHERE tenant_id = $4 AND room_id = $2"
            "  AND state = 'pending' AND EXISTS (SELECT FROM held) ORDER BY outbox_id LIMIT $5),"
            " taken AS (UPDATE outbox SET attempts = outbox.attempts + 1,"
            "  first_attempt_at = coalesce(outbox.first_attempt_at, now()) FROM next"
            # seen again under the lock: an echo may have come since
            "  WHERE tenant_id = $4 AND outbox.outbox_id = next.outbox_id AND outbox.state = 'pending'"
            "  RETURNING outbox.outbox_id)"
            " SELECT next.* FROM held LEFT JOIN (next JOIN taken USING (outbox_id)) ON true ORDER BY outbox_id",
            lane.queue,
            lane.lane_key,
            lane.fence,
            self._tenant_id,
            limit,
        )
        if not rows:
            raise LaneLost
        return [self._item(row) for row in rows if row["outbox_id"] is not None]

    async def record_failure(self, lane: Lane, outbox_id: OutboxID) -> None:
        await hold_lane(self._connection, lane)
        await self._connection.execute(
            "UPDATE outbox SET failures = failures + 1 WHERE tenant_id = $1 AND outbox_id = $2",
            self._tenant_id,
            outbox_id,
        )

    async def finish(self, lane: Lane, outbox_id: OutboxID, outcome: Outcome) -> None:
        finished = await finish_items(
            self._connection,
            lane,
            # none when the echo was faster
            "UPDATE outbox SET state = $7, event_id = $8, error = $9, acknowledged_by = $10, finished_at = now()"
            " WHERE tenant_id = $5 AND outbox_id = $6 AND state = 'pending'",
            self._tenant_id,
            outbox_id,
            "dead" if isinstance(outcome, Refused) else "sent",
            None if isinstance(outcome, Refused) else outcome.event_id,
            outcome.error if isinstance(outcome, Refused) else None,
            None if isinstance(outcome, Refused) else outcome.acknowledged_by,
        )
        OUTBOX_FINISHED.labels("dead" if isinstance(outcome, Refused) else outcome.acknowledged_by).inc(finished)

    async def acknowledge_echo(self, event: MatrixEvent, delivery_id: DeliveryID) -> bool:
        row = await self._record_echo(event, delivery_id)
        if row is not None and not row["is_first"]:
            # its state changed while we waited for the lane
            row = await self._record_echo(event, delivery_id)
        if row is None or not row["is_first"]:
            return False
        OUTBOX_FINISHED.labels("echo").inc()
        self._wake_for(is_free=row["is_free"])
        return True

    async def _record_echo(self, event: MatrixEvent, delivery_id: DeliveryID) -> asyncpg.Record | None:
        """Mark a message sent, a dead letter too: it stands in the room; None when there is no such message.

        The lane is locked before the row; and as this went through, it need not wait any longer.
        """
        return await self._connection.fetchrow(
            "WITH shown AS (SELECT outbox_id, state FROM outbox WHERE tenant_id = $1 AND room_id = $2"
            "  AND delivery_id = $3 AND sender = $4 AND state IN ('pending', 'dead') AND attempts > 0),"
            " held AS MATERIALIZED (SELECT FROM lanes WHERE queue = 'outbox' AND lane_key = $2"
            "  AND EXISTS (SELECT FROM shown) FOR NO KEY UPDATE),"
            " echoed AS (UPDATE outbox SET state = 'sent', event_id = $5, error = NULL, acknowledged_by = 'echo',"
            "  finished_at = now() FROM shown WHERE outbox.tenant_id = $1 AND outbox.outbox_id = shown.outbox_id"
            "  AND outbox.state = shown.state AND EXISTS (SELECT FROM held) RETURNING shown.state)"
            " UPDATE lanes SET pending = pending - (SELECT count(*) FROM echoed WHERE state = 'pending'),"
            "  attempts = 0, faults = 0, error = NULL, not_before = least(not_before, now())"
            " WHERE queue = 'outbox' AND lane_key = $2 AND EXISTS (SELECT FROM shown)"
            "  AND (SELECT count(*) FROM echoed) >= 0"
            " RETURNING (SELECT count(*) FROM echoed) > 0 AS is_first, lease_until <= now() AS is_free",
            self._tenant_id,
            event.room_id,
            delivery_id,
            event.sender,
            event.event_id,
        )

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
        is_free: bool = await self._connection.fetchval(
            f"WITH {_ENQUEUED}"  # noqa: S608 - a literal of ours
            " INSERT INTO deliveries (delivery_id, tenant_id, key_id, room_id, room_key, event_type, outbox_id)"
            " SELECT $8, $1, $9::text::uuid, $2, $10, $11, outbox_id FROM message"
            " RETURNING (SELECT is_free FROM waiting)",
            *self._values(message),
            delivery_id,
            key_id,
            room_key,
            event.type,
        )
        self._wake_for(is_free=is_free)

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
