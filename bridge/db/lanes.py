"""Lanes: ordered work that one worker at a time holds, by a lease and a fence."""

from collections.abc import Sequence

from bridge.db.connection import Connection, Pool, connection_of
from bridge.errors import Conflict
from bridge.model.ids import TenantID
from bridge.model.job import Lane
from bridge.ports import Queue


class LaneLost(Conflict):
    """The lease ended and somebody else holds the lane now; what was about to be recorded is theirs to do."""


async def add_to_lane(
    connection: Connection, queue: Queue, lane_key: str, tenant_id: TenantID | None, *, count: int = 1
) -> None:
    """Say that ``count`` more items wait in a lane, inside the caller's transaction."""
    await connection.execute(
        "INSERT INTO lanes AS l (queue, lane_key, tenant_id, pending) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (queue, lane_key) DO UPDATE SET pending = l.pending + $4,"
        " tenant_id = coalesce(l.tenant_id, $3)",
        queue,
        lane_key,
        tenant_id,
        count,
    )


async def take_from_lane(connection: Connection, lane: Lane, *, count: int) -> None:
    """Say that ``count`` items of a held lane are finished; raises LaneLost when it is no longer held."""
    status = await connection.execute(
        "UPDATE lanes SET pending = greatest(pending - $4, 0), attempts = 0"
        " WHERE queue = $1 AND lane_key = $2 AND fence = $3",
        lane.queue,
        lane.lane_key,
        lane.fence,
        count,
    )
    if status != "UPDATE 1":
        raise LaneLost("the lane is held by another worker now")


class LaneStore:
    """Implements the port ``Lanes``; each call is a transaction of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, queue: Queue, *, limit: int, lease_seconds: float) -> Sequence[Lane]:
        """Take up to ``limit`` lanes that have work and are free, those served longest ago first."""
        async with connection_of(self._pool) as connection:
            rows = await connection.fetch(
                "UPDATE lanes SET lease_until = now() + make_interval(secs => $3), fence = fence + 1,"
                " served_at = now() WHERE (queue, lane_key) IN ("
                "  SELECT queue, lane_key FROM lanes WHERE queue = $1 AND pending > 0 AND not_before <= now()"
                "  AND lease_until <= now() ORDER BY served_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
                " RETURNING queue, lane_key, tenant_id, fence, attempts",
                queue,
                limit,
                lease_seconds,
            )
        return [
            Lane(
                queue=queue,
                lane_key=row["lane_key"],
                tenant_id=row["tenant_id"],
                fence=row["fence"],
                attempts=row["attempts"],
            )
            for row in rows
        ]

    async def renew(self, lane: Lane, *, lease_seconds: float) -> bool:
        """Prolong the lease; False when the lane is no longer held."""
        async with connection_of(self._pool) as connection:
            status = await connection.execute(
                "UPDATE lanes SET lease_until = now() + make_interval(secs => $4)"
                " WHERE queue = $1 AND lane_key = $2 AND fence = $3",
                lane.queue,
                lane.lane_key,
                lane.fence,
                lease_seconds,
            )
        return status == "UPDATE 1"

    async def release(self, lane: Lane, *, retry_after_seconds: float | None) -> None:
        async with connection_of(self._pool) as connection:
            await connection.execute(
                "UPDATE lanes SET lease_until = '-infinity', attempts = attempts + ($4::float IS NOT NULL)::int,"
                " not_before = coalesce(now() + make_interval(secs => $4), not_before)"
                " WHERE queue = $1 AND lane_key = $2 AND fence = $3",
                lane.queue,
                lane.lane_key,
                lane.fence,
                retry_after_seconds,
            )
