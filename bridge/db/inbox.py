"""The inbox: every event is stored before Synapse is told so, once per event id, and handled in order per room."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from bridge.db.connection import Connection, Pool, connection_of, rows_of
from bridge.db.lanes import add_to_lane, finish_items, hold_lane
from bridge.model.event import InboxItem, InboxItems, MatrixEvent, Receipt
from bridge.model.ids import RoomID
from bridge.model.job import Lane
from bridge.ports import Queue


class InboxStore:
    """Implements the port ``Inbox``."""

    def __init__(self, connection: Connection, woken: set[Queue]) -> None:
        self._connection, self._woken = connection, woken

    async def pending(self, room_id: RoomID, *, limit: int) -> Sequence[InboxItem]:
        rows = await self._connection.fetch(
            "SELECT inbox_id, kind, body FROM inbox WHERE room_id = $1 AND handled_at IS NULL AND NOT stray"
            " ORDER BY stream_position NULLS FIRST, inbox_id LIMIT $2",
            room_id,
            limit,
        )
        types: dict[str, type[MatrixEvent] | type[Receipt]] = {"event": MatrixEvent, "receipt": Receipt}
        return [InboxItem(inbox_id=row["inbox_id"], body=types[row["kind"]](**row["body"])) for row in rows]

    async def hold(self, lane: Lane) -> None:
        await hold_lane(self._connection, lane)

    async def finish(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        await finish_items(
            self._connection,
            lane,
            "UPDATE inbox SET handled_at = now(), body = NULL WHERE inbox_id = ANY($5) AND handled_at IS NULL",
            [item.inbox_id for item in items],
        )

    async def set_aside(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        await finish_items(
            self._connection,
            lane,
            "UPDATE inbox SET stray = true WHERE inbox_id = ANY($5) AND NOT stray AND handled_at IS NULL",
            [item.inbox_id for item in items],
        )

    async def recall(self, room_id: RoomID) -> None:
        # locked, and made if need be: who is about to set events aside either is done, or will see the room
        await add_to_lane(self._connection, "inbox", room_id, None, count=0)
        recalled = await self._connection.fetch(
            "UPDATE inbox SET stray = false WHERE room_id = $1 AND stray AND handled_at IS NULL RETURNING inbox_id",
            room_id,
        )
        if recalled:
            await add_to_lane(self._connection, "inbox", room_id, None, count=len(recalled))
            self._woken.add("inbox")

    async def quarantine(self, item: InboxItem, error: str) -> None:
        await self._connection.execute(
            "INSERT INTO quarantine (body, error) VALUES ($1, $2)", msgspec.json.encode(item.body).decode(), error
        )

    async def forget_handled(self, before: datetime, *, limit: int) -> int:
        status = await self._connection.execute(
            "DELETE FROM inbox WHERE inbox_id IN (SELECT inbox_id FROM inbox WHERE handled_at < $1 LIMIT $2)",
            before,
            limit,
        )
        return rows_of(status)


async def store_transaction(pool: Pool, items: InboxItems, unparsable: Sequence[tuple[str, str]]) -> int:
    """Store a transaction of Synapse in one commit, and return how many of its events were new.

    ``items`` are (id, body): an event's own id, or for a receipt one made of its content, so that repeats are known.
    ``unparsable`` are (raw text, error). Raises DependencyDown, and then nothing is stored.
    """
    async with connection_of(pool) as connection:
        return await store_items(connection, items, unparsable)


async def store_items(connection: Connection, items: InboxItems, unparsable: Sequence[tuple[str, str]]) -> int:
    """Store items in one statement, inside the caller's transaction or as one of its own."""
    new: int = await connection.fetchval(
        # the lanes in one order everywhere, so that two transactions never wait for each other's
        "WITH stored AS ("
        "  INSERT INTO inbox (event_id, room_id, kind, body, stream_position)"
        "  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::bigint[])"
        "  ON CONFLICT (event_id) DO NOTHING RETURNING room_id),"
        " waiting AS ("
        "  INSERT INTO lanes AS l (queue, lane_key, pending)"
        "  SELECT 'inbox', room_id, count(*) FROM stored GROUP BY room_id ORDER BY room_id"
        "  ON CONFLICT (queue, lane_key) DO UPDATE SET pending = l.pending + excluded.pending),"
        " odd AS (INSERT INTO quarantine (body, error) SELECT * FROM unnest($6::text[], $7::text[]))"
        " SELECT count(*) FROM stored",
        [event_id for event_id, _ in items],
        [body.room_id for _, body in items],
        ["event" if isinstance(body, MatrixEvent) else "receipt" for _, body in items],
        [body for _, body in items],
        [body.stream_position if isinstance(body, MatrixEvent) else None for _, body in items],
        [raw for raw, _ in unparsable],
        [error for _, error in unparsable],
    )
    return new
