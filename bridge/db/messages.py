"""The read model of messages of one tenant: ``chat_messages`` and ``chat_message_reads``."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bridge.db.connection import Connection
from bridge.model.event import MatrixEvent, Receipt
from bridge.model.ids import EventID, RoomID, TenantID, UserID
from bridge.model.json import JsonObject


class MessageStore:
    """Implements the port ``Messages``."""

    def __init__(self, connection: Connection, tenant_id: TenantID) -> None:
        self._connection, self._tenant_id = connection, tenant_id

    async def add(self, event: MatrixEvent) -> bool:
        status = await self._connection.execute(
            "INSERT INTO chat_messages (id, room_id, tenant_id, user_id, content, metadata, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
            event.event_id,
            event.room_id,
            self._tenant_id,
            event.sender,
            event.content,
            {"event_type": event.event_type},
            _time(event.origin_server_ts),
        )
        return status == "INSERT 0 1"

    async def edit(self, event_id: EventID, *, edit: MatrixEvent, content: JsonObject) -> None:
        """Take over an edit by the message's own sender, unless a newer one stands or it was redacted."""
        await self._connection.execute(
            "UPDATE chat_messages SET content = $4, edited_ts = $5,"
            " metadata = metadata || jsonb_build_object('edited_by', $6::text)"
            " WHERE tenant_id = $1 AND id = $2 AND user_id = $3 AND room_id = $7"
            " AND coalesce(edited_ts, 0) <= $5 AND NOT metadata ? 'redacted'",
            self._tenant_id,
            event_id,
            edit.sender,
            content,
            edit.origin_server_ts,
            edit.event_id,
            edit.room_id,
        )

    async def redact(self, event_id: EventID, *, room_id: RoomID) -> None:
        await self._connection.execute(
            "UPDATE chat_messages SET content = '{}', metadata = metadata || '{\"redacted\": true}'"
            " WHERE tenant_id = $1 AND id = $2 AND room_id = $3",
            self._tenant_id,
            event_id,
            room_id,
        )

    async def record_receipt(self, receipt: Receipt) -> None:
        await self._connection.execute(
            "INSERT INTO chat_message_reads (message_id, room_id, tenant_id, user_id, read_at)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (room_id, user_id) DO UPDATE SET message_id = $1, read_at = $5"
            " WHERE chat_message_reads.read_at <= $5",
            receipt.event_id,
            receipt.room_id,
            self._tenant_id,
            receipt.user_id,
            _time(receipt.ts),
        )

    async def recent(self, room_id: RoomID, *, limit: int) -> Sequence[tuple[UserID, str]]:
        rows = await self._connection.fetch(
            "SELECT user_id, content ->> 'body' AS body FROM chat_messages"
            " WHERE tenant_id = $1 AND room_id = $2 AND content ? 'body' ORDER BY position DESC LIMIT $3",
            self._tenant_id,
            room_id,
            limit,
        )
        return [(row["user_id"], row["body"]) for row in reversed(rows)]


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
