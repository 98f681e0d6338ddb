"""What happened in one tenant, kept with the change that made it happen, for webhooks."""

from collections.abc import Sequence
from datetime import datetime

from bridge.db.connection import Connection, rows_of
from bridge.model.ids import TenantID
from bridge.model.tenant_event import TenantEvent


class TenantEventStore:
    """Implements the port ``TenantEvents``."""

    def __init__(self, connection: Connection, tenant_id: TenantID) -> None:
        self._connection, self._tenant_id = connection, tenant_id

    async def add(self, *events: TenantEvent) -> None:
        await self._connection.executemany(
            "INSERT INTO tenant_events (tenant_id, type, subject, room_key, data) VALUES ($1, $2, $3, $4, $5)",
            [(self._tenant_id, event.type, event.subject, event.room_key, dict(event.data)) for event in events],
        )

    async def list_after(self, event_row: int, *, limit: int) -> Sequence[tuple[int, TenantEvent]]:
        rows = await self._connection.fetch(
            "SELECT event_row, type, subject, room_key, data FROM tenant_events"
            " WHERE tenant_id = $1 AND event_row > $2 ORDER BY event_row LIMIT $3",
            self._tenant_id,
            event_row,
            limit,
        )
        return [
            (
                row["event_row"],
                TenantEvent(type=row["type"], subject=row["subject"], room_key=row["room_key"], data=row["data"]),
            )
            for row in rows
        ]

    async def forget(self, before: datetime) -> int:
        status = await self._connection.execute(
            "DELETE FROM tenant_events WHERE tenant_id = $1 AND created_at < $2", self._tenant_id, before
        )
        return rows_of(status)
