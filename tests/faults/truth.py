"""What really stands: Synapse's own tables, and the bridge's, asked past row-level security and past every proxy."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tests.faults.history import History, Input, Message, Row

_MARK = re.compile(r"\[[\w.-]+#\d+\]")


def mark_of(text: str) -> str | None:
    """Return the mark that a message carries, if it has one."""
    found = _MARK.search(text)
    return found.group() if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The two databases of a stack."""

    bridge: asyncpg.Pool
    synapse: asyncpg.Pool

    async def history(self, inputs: Sequence[Input], room_ids: Sequence[str]) -> History:
        """Return everything that stands in these rooms, and what is left over in the bridge's queues of them."""
        return History(
            inputs=tuple(inputs),
            timeline=await self._timeline(room_ids),
            rows=await self._rows(room_ids),
            tenants=await self._tenants(room_ids),
            leftovers=await self.leftovers(room_ids),
        )

    async def _timeline(self, room_ids: Sequence[str]) -> tuple[Message, ...]:
        rows = await self.synapse.fetch(
            "SELECT e.event_id, e.room_id, e.sender, e.stream_ordering, j.json FROM events e JOIN event_json j"
            " USING (event_id) LEFT JOIN rejections r USING (event_id) WHERE e.type = 'm.room.message'"
            " AND e.room_id = ANY($1) AND NOT e.outlier AND r.event_id IS NULL ORDER BY e.stream_ordering",
            list(room_ids),
        )
        return tuple(_message(row) for row in rows)

    async def _rows(self, room_ids: Sequence[str]) -> tuple[Row, ...]:
        rows = await self.bridge.fetch(
            "SELECT id, room_id, tenant_id, user_id, content ->> 'body' AS text, position FROM chat_messages"
            " WHERE room_id = ANY($1) ORDER BY position, id",
            list(room_ids),
        )
        return tuple(
            Row(
                event_id=row["id"],
                room_id=row["room_id"],
                tenant_id=row["tenant_id"],
                sender=row["user_id"],
                text=row["text"] or "",
                mark=mark_of(row["text"] or ""),
                position=row["position"],
            )
            for row in rows
        )

    async def _tenants(self, room_ids: Sequence[str]) -> dict[str, str]:
        rows = await self.bridge.fetch("SELECT id, tenant_id FROM chat_rooms WHERE id = ANY($1)", list(room_ids))
        return {row["id"]: row["tenant_id"] for row in rows}

    async def leftovers(self, room_ids: Sequence[str]) -> tuple[str, ...]:
        """Return a sentence for each queue of these rooms that is not empty, and for each dead letter."""
        rows = await self.bridge.fetch(
            "SELECT 'outbox ' || state || ': ' || outbox_id || coalesce(', ' || error, '') AS what FROM outbox"
            " WHERE room_id = ANY($1) AND state <> 'sent'"
            " UNION ALL SELECT 'not handled: ' || event_id FROM inbox WHERE room_id = ANY($1) AND handled_at IS NULL"
            " UNION ALL SELECT 'lane ' || queue || ' says ' || pending || ' wait' FROM lanes"
            "  WHERE lane_key = ANY($1) AND pending <> 0"
            " UNION ALL SELECT 'in quarantine: ' || error FROM quarantine",
            list(room_ids),
        )
        return tuple(row["what"] for row in rows)

    async def work_left(self) -> list[str]:
        """Return every lane with work and every job that is not over, as they stand."""
        lanes = await self.bridge.fetch("SELECT now(), * FROM lanes WHERE pending <> 0 OR lease_until > now()")
        jobs = await self.bridge.fetch("SELECT * FROM jobs WHERE state IN ('queued', 'running')")
        return [str(dict(row)) for row in (*lanes, *jobs)]

    async def unsent_transactions(self) -> int:
        """Return how many transactions Synapse still has for us."""
        found: int = await self.synapse.fetchval("SELECT count(*) FROM application_services_txns")
        return found

    async def dead_or_unknown(self, room_ids: Sequence[str], event_ids: Sequence[str]) -> list[str]:
        """Return what the outbox says was sent, but is not among these events."""
        rows = await self.bridge.fetch(
            "SELECT outbox_id, event_id FROM outbox WHERE room_id = ANY($1) AND state = 'sent' AND event_id <> ALL($2)",
            list(room_ids),
            list(event_ids),
        )
        return [f"outbox {row['outbox_id']} names {row['event_id']}" for row in rows]


def _message(row: asyncpg.Record) -> Message:
    body = json.loads(row["json"])["content"].get("body", "")
    return Message(
        event_id=row["event_id"],
        room_id=row["room_id"],
        sender=row["sender"],
        text=body,
        mark=mark_of(body),
        position=row["stream_ordering"],
    )
