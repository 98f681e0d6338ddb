"""How far the homeserver's streams were compared with the inbox, and what the comparison found missing."""

from bridge.db.connection import Pool, connection_of
from bridge.db.inbox import store_items
from bridge.model.stream import RepairReason, StreamName, StreamPage
from bridge.telemetry import GAP_REPAIRED


class GapStore:
    """Implements the port ``Gaps``; each call is a transaction of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def position(self, stream: StreamName) -> int:
        async with connection_of(self._pool) as connection:
            found: int | None = await connection.fetchval(
                "SELECT position FROM stream_positions WHERE name = $1", stream
            )
        return found or 0

    async def store(self, stream: StreamName, page: StreamPage, *, reason: RepairReason) -> int:
        async with connection_of(self._pool) as connection, connection.transaction():
            new = await store_items(connection, page.items, page.unparsable)
            await connection.execute(
                # back, too: the stream of a Synapse restored from a backup is shorter than it was
                "INSERT INTO stream_positions (name, position) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE"
                " SET position = excluded.position, checked_at = now()",
                stream,
                page.position,
            )
        GAP_REPAIRED.labels(reason, stream).inc(new)
        return new
