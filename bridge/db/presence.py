"""Who is there: a process shows itself by a lock that its session holds, and lanes of those who are gone are free.

A lease alone would keep the lanes of a process that died until it ends. PostgreSQL notices at once when the connection
of a dead process closes. One that is cut off and goes on is no worse than one whose lease has ended: it cannot record.
"""

import asyncio
import secrets
from collections.abc import Callable

import asyncpg
import structlog

from bridge.db.connection import Connection, Pool, connection_of, keep_session
from bridge.errors import DependencyDown
from bridge.ports import Queue
from bridge.telemetry import LANES_FREED

_log = structlog.stdlib.get_logger("bridge.presence")

_LOCK_SPACE = 0x62697470  # any constant: in it each process locks its own number
_LOOK_SECONDS = 0.5

# a lock with two numbers has the first as classid and the second as objid
_IS_THERE = (
    "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = $1::int::oid AND objid = holder::oid)"
)


class Presence:
    """This process among those that share the lanes; ``number`` is what it holds them by."""

    def __init__(self, pool: Pool, url: str, wake: Callable[[Queue], None]) -> None:
        self._pool, self._url, self._wake = pool, url, wake
        self.number = secrets.randbelow(2**31 - 1) + 1
        self._missed: frozenset[int] = frozenset()

    async def show(self) -> None:
        """Show that we are there, until cancelled."""
        await keep_session(self._url, application_name="bitnexus-chat-presence", begin=self._lock)

    async def watch(self) -> None:
        """Free lanes whose holder was gone at two looks in a row, until cancelled."""
        while True:
            try:
                await self.look()
            except (DependencyDown, asyncpg.PostgresError) as error:
                _log.warning("cannot look who is there", error=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> int:
        """Look once, and return how many lanes were freed.

        Twice, because after a restart of PostgreSQL those who live come back one after the other.
        """
        async with connection_of(self._pool) as connection:
            missing = await _missing(connection, self.number)
            gone, self._missed = missing & self._missed, missing
            freed = await _free(connection, gone) if gone else []
        for queue in freed:
            LANES_FREED.labels(queue).inc()
            self._wake(queue)
        if freed:
            _log.warning("lanes of a process that is gone are free", lanes=len(freed))
        return len(freed)

    async def _lock(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute("SELECT pg_advisory_lock($1, $2)", _LOCK_SPACE, self.number)


async def _missing(connection: Connection, ourselves: int) -> frozenset[int]:
    rows = await connection.fetch(
        "SELECT holder FROM (SELECT DISTINCT holder FROM lanes WHERE lease_until > now() AND holder <> $2) AS held"  # noqa: S608 - a literal of ours
        f" WHERE NOT {_IS_THERE}",
        _LOCK_SPACE,
        ourselves,
    )
    return frozenset(row["holder"] for row in rows)


async def _free(connection: Connection, gone: frozenset[int]) -> list[Queue]:
    rows = await connection.fetch(
        "WITH left_alone AS MATERIALIZED (SELECT queue, lane_key FROM lanes WHERE lease_until > now()"  # noqa: S608 - as above
        f"  AND holder = ANY($2) AND NOT {_IS_THERE} ORDER BY queue, lane_key FOR NO KEY UPDATE)"
        " UPDATE lanes SET lease_until = '-infinity', holder = NULL FROM left_alone"
        " WHERE lanes.queue = left_alone.queue AND lanes.lane_key = left_alone.lane_key RETURNING lanes.queue",
        _LOCK_SPACE,
        list(gone),
    )
    return [row["queue"] for row in rows]
