"""The read model of messages of one tenant: ``chat_messages`` and ``chat_message_reads``."""

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from bridge.db.connection import Connection, rows_of
from bridge.model.event import MatrixEvent, Receipt
from bridge.model.ids import EventID, RoomID, TenantID, UserID
from bridge.model.json import JsonObject
from bridge.policy.projection import tenant_of_sender


class MessageStore:
    """Implements the port ``Messages``."""

    def __init__(self, connection: Connection, tenant_id: TenantID) -> None:
        self._connection, self._tenant_id = connection, tenant_id

    async def add(self, event: MatrixEvent) -> bool:
        rows = await self._connection.fetch(
            "WITH added AS ("
            "  INSERT INTO chat_messages (id, room_id, tenant_id, user_id, content, metadata, created_at, position)"
            "  VALUES ($1, $2, $3, $4, $5, $6::jsonb || CASE WHEN $9::text IS NOT NULL"
            # elsewhere nobody but the sender says so
            "    AND EXISTS (SELECT FROM chat_rooms WHERE tenant_id = $3 AND id = $2 AND type = 'alliance')"
            "   THEN jsonb_build_object('sender_tenant_id', $9::text) ELSE '{}' END, $7, coalesce($8,"
            "   (SELECT max(position) + 1 FROM chat_messages WHERE tenant_id = $3 AND room_id = $2), 1))"
            "  ON CONFLICT (id) DO NOTHING RETURNING id),"
            " early AS (DELETE FROM early_changes WHERE tenant_id = $3 AND room_id = $2"
            "  AND target_id IN (SELECT id FROM added) RETURNING *)"
            " SELECT early.* FROM added LEFT JOIN early ON true",
            event.event_id,
            event.room_id,
            self._tenant_id,
            event.sender,
            event.content,
            {"event_type": event.event_type},
            _time(event.origin_server_ts),
            event.stream_position,
            tenant_of_sender(event),
        )
        await self._apply_early_changes(event, [row for row in rows if row["event_id"] is not None])
        return bool(rows)

    async def edit(self, event_id: EventID, *, edit: MatrixEvent, content: JsonObject) -> None:
        """Take over an edit by the message's own sender, unless a newer one stands or it was redacted."""
        if not await self._is_there(event_id):
            await self._keep_early(event_id, "edit", edit, content)
            return
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

    async def redact(self, event_id: EventID, *, redaction: MatrixEvent) -> None:
        if not await self._is_there(event_id):
            # an edit that was redacted before it was applied says nothing any more
            await self._connection.execute(
                "DELETE FROM early_changes WHERE tenant_id = $1 AND event_id = $2 AND room_id = $3",
                self._tenant_id,
                event_id,
                redaction.room_id,
            )
            await self._keep_early(event_id, "redaction", redaction, {})
            return
        await self._connection.execute(
            "UPDATE chat_messages SET content = '{}', metadata = metadata || '{\"redacted\": true}'"
            " WHERE tenant_id = $1 AND id = $2 AND room_id = $3",
            self._tenant_id,
            event_id,
            redaction.room_id,
        )

    async def forget_early_changes(self, before: datetime) -> int:
        status = await self._connection.execute(
            "DELETE FROM early_changes WHERE tenant_id = $1 AND received_at < $2", self._tenant_id, before
        )
        return rows_of(status)

    async def _is_there(self, event_id: EventID) -> bool:
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM chat_messages WHERE tenant_id = $1 AND id = $2)", self._tenant_id, event_id
        )
        return found

    async def _keep_early(self, target_id: EventID, kind: str, change: MatrixEvent, content: JsonObject) -> None:
        await self._connection.execute(
            "INSERT INTO early_changes (event_id, tenant_id, room_id, target_id, kind, sender, content,"
            " origin_server_ts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (event_id) DO NOTHING",
            change.event_id,
            self._tenant_id,
            change.room_id,
            target_id,
            kind,
            change.sender,
            content,
            change.origin_server_ts,
        )

    async def _apply_early_changes(self, event: MatrixEvent, rows: Sequence[asyncpg.Record]) -> None:
        for row in sorted(rows, key=lambda row: row["origin_server_ts"]):
            change = MatrixEvent(
                event_id=row["event_id"],
                room_id=row["room_id"],
                event_type=event.event_type,
                sender=row["sender"],
                content=row["content"],
                origin_server_ts=row["origin_server_ts"],
            )
            if row["kind"] == "edit":
                await self.edit(event.event_id, edit=change, content=row["content"])
            else:
                await self.redact(event.event_id, redaction=change)

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
