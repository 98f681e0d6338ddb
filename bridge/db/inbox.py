"""The inbox: every event is stored before Synapse is told so, once per event id, and handled in order per room."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from bridge.db.connection import Connection, Pool, connection_of, rows_of
from bridge.db.lanes import add_to_lane, take_from_lane
from bridge.model.event import InboxItem, MatrixEvent, Receipt
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
            " ORDER BY inbox_id LIMIT $2",
            room_id,
            limit,
        )
        types: dict[str, type[MatrixEvent] | type[Receipt]] = {"event": MatrixEvent, "receipt": Receipt}
        return [InboxItem(inbox_id=row["inbox_id"], body=types[row["kind"]](**row["body"])) for row in rows]

    async def finish(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        await self._connection.execute(
            "UPDATE inbox SET handled_at = now(), body = NULL WHERE inbox_id = ANY($1)",
            [item.inbox_id for item in items],
        )
        await take_from_lane(self._connection, lane, count=len(items))

    async def set_aside(self, lane: Lane, items: Sequence[InboxItem]) -> None:
        await self._connection.execute(
            "UPDATE inbox SET stray = true WHERE inbox_id = ANY($1)", [item.inbox_id for item in items]
        )
        await take_from_lane(self._connection, lane, count=len(items))

    async def recall(self, room_id: RoomID) -> None:
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


async def store_transaction(
    pool: Pool, items: Sequence[tuple[str, MatrixEvent | Receipt]], unparsable: Sequence[tuple[str, str]]
) -> int:
    """Store a transaction of Synapse in one commit, and return how many of its events were new.

    ``items`` are (id, body): an event's own id, or for a receipt one made of its content, so that repeats are known.
    ``unparsable`` are (raw text, error). Raises DependencyDown, and then nothing is stored.
    """
    async with connection_of(pool) as connection, connection.transaction():
        rows = await connection.fetch(
            "INSERT INTO inbox (event_id, room_id, kind, body)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[])"
            " ON CONFLICT (event_id) DO NOTHING RETURNING room_id",
            [event_id for event_id, _ in items],
            [body.room_id for _, body in items],
            ["event" if isinstance(body, MatrixEvent) else "receipt" for _, body in items],
            [msgspec.to_builtins(body) for _, body in items],
        )
        # in one order everywhere, so that two transactions never wait for each other's lanes
        for room_id, count in sorted(Counter(row["room_id"] for row in rows).items()):
            await add_to_lane(connection, "inbox", room_id, None, count=count)
        if unparsable:
            await connection.executemany("INSERT INTO quarantine (body, error) VALUES ($1, $2)", unparsable)
    return len(rows)
