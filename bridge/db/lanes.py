"""Lanes: ordered work that one worker at a time holds, by a lease and a fence.

Whoever changes items of a lane and its counter locks the lane first: then nobody waits for an item while holding the
lane that the item's holder waits for, and the counter is always the number of items that are committed.
"""

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString, get_args

import structlog

from bridge.db.connection import Connection, Pool, connection_of
from bridge.db.health import HealthStore, recount
from bridge.errors import Conflict
from bridge.model.ids import TenantID
from bridge.model.job import Lane
from bridge.ports import Queue

_log = structlog.stdlib.get_logger("bridge.lanes")

# In words: the tenants that have lanes with work, found by hopping through the index; of each the lanes that are free,
# as many as it may have; of all of these the first few, in turn; of those, the ones that nobody else is taking now.
_CLAIM: Final = (
    "WITH RECURSIVE tenant AS ("
    "  (SELECT coalesce(tenant_id, '') AS tenant FROM lanes WHERE queue = $1 AND pending > 0 ORDER BY 1 LIMIT 1)"
    "  UNION ALL SELECT (SELECT coalesce(tenant_id, '') FROM lanes WHERE queue = $1 AND pending > 0"
    "   AND coalesce(tenant_id, '') > before.tenant ORDER BY 1 LIMIT 1)"
    "  FROM tenant before WHERE before.tenant IS NOT NULL),"
    " queued AS ("
    "  SELECT lane.lane_key, lane.served_at, coalesce(held.count, 0) + lane.number AS turn"
    "  FROM tenant LEFT JOIN unnest($4::text[], $5::int[]) AS held(tenant, count) USING (tenant)"
    "  CROSS JOIN LATERAL ("
    "   SELECT lane_key, served_at, row_number() OVER (ORDER BY served_at) AS number FROM lanes"
    "   WHERE queue = $1 AND pending > 0 AND coalesce(tenant_id, '') = tenant.tenant"
    "    AND not_before <= now() AND lease_until <= now() ORDER BY served_at LIMIT $6) AS lane"
    "  WHERE coalesce(held.count, 0) + lane.number <= $6"
    "  ORDER BY turn, served_at LIMIT 16 * $2::int),"
    " taken AS MATERIALIZED ("
    "  SELECT lane_key FROM queued JOIN lanes free USING (lane_key)"
    # seen again under the lock: another worker may have held the lane since
    "  WHERE free.queue = $1 AND free.pending > 0 AND free.not_before <= now() AND free.lease_until <= now()"
    "  ORDER BY queued.turn, queued.served_at LIMIT $2 FOR NO KEY UPDATE OF free SKIP LOCKED)"
    " UPDATE lanes SET lease_until = now() + make_interval(secs => $3), holder = $7, fence = fence + 1,"
    "  served_at = now() FROM taken WHERE lanes.queue = $1 AND lanes.lane_key = taken.lane_key"
    " RETURNING lanes.queue, lanes.lane_key, tenant_id, fence, attempts, faults"
)


class LaneLost(Conflict):
    """The lease ended and somebody else holds the lane now; what was about to be recorded is theirs to do."""

    def __init__(self) -> None:
        super().__init__("the lane is held by another worker now")


async def add_to_lane(
    connection: Connection, queue: Queue, lane_key: str, tenant_id: TenantID | None, *, count: int = 1
) -> None:
    """Say that ``count`` more items wait in a lane, inside the caller's transaction; none to lock the lane alone."""
    await connection.execute(
        "INSERT INTO lanes AS l (queue, lane_key, tenant_id, pending) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (queue, lane_key) DO UPDATE SET pending = l.pending + $4,"
        " tenant_id = coalesce(l.tenant_id, $3)",
        queue,
        lane_key,
        tenant_id,
        count,
    )


async def add_to_lanes(
    connection: Connection, queue: Queue, lane_keys: Sequence[str], tenant_id: TenantID | None
) -> None:
    """Say that one more item waits in each of these lanes, which are locked in the order in which they are given."""
    await connection.execute(
        "INSERT INTO lanes AS l (queue, lane_key, tenant_id, pending)"
        " SELECT $1, lane_key, $3, 1 FROM unnest($2::text[]) WITH ORDINALITY AS k(lane_key, n) ORDER BY n"
        " ON CONFLICT (queue, lane_key) DO UPDATE SET pending = l.pending + 1, tenant_id = coalesce(l.tenant_id, $3)",
        queue,
        list(lane_keys),
        tenant_id,
    )


async def hold_lane(connection: Connection, lane: Lane) -> None:
    """Lock a held lane until the transaction ends; raises LaneLost when it is no longer held."""
    is_held = await connection.fetchval(
        "SELECT true FROM lanes WHERE queue = $1 AND lane_key = $2 AND fence = $3 FOR NO KEY UPDATE",
        lane.queue,
        lane.lane_key,
        lane.fence,
    )
    if not is_held:
        raise LaneLost


async def finish_items(connection: Connection, lane: Lane, update: LiteralString, *values: object) -> int:
    """Lock a held lane, finish items and take them from it, all in one statement; return how many; raises LaneLost.

    ``update`` is an UPDATE or a DELETE of the items, up to the end of its WHERE; its ``values`` begin at $5.
    """
    finished: int | None = await connection.fetchval(
        "WITH held AS MATERIALIZED (SELECT FROM lanes WHERE queue = $1 AND lane_key = $2 AND fence = $3"  # noqa: S608 - literals of ours
        f"  FOR NO KEY UPDATE), finished AS ({update} AND EXISTS (SELECT FROM held) RETURNING 1)"
        " UPDATE lanes SET pending = pending - (SELECT count(*) FROM finished),"
        "  attempts = 0, faults = 0, error = NULL, tenant_id = coalesce(tenant_id, $4)"
        " WHERE queue = $1 AND lane_key = $2 AND fence = $3 AND (SELECT count(*) FROM finished) >= 0"
        " RETURNING (SELECT count(*) FROM finished)",
        lane.queue,
        lane.lane_key,
        lane.fence,
        lane.tenant_id,
        *values,
    )
    if finished is None:
        raise LaneLost
    return finished


async def mend_counters(app: Pool, system: Pool) -> int:
    """Count anew the lanes whose counter is not the number of their items, and return how many were mended.

    No way is known that leads there, but a lane whose counter says 0 would keep its items for ever.
    """
    mended = 0
    for lane in await HealthStore(system).drifted_lanes():
        if await recount(app, lane):
            mended += 1
            _log.error("a lane's counter was wrong", queue=lane.queue, lane_key=lane.lane_key, counted=lane.counted)
    return mended


class LaneStore:
    """Implements the port ``Lanes``; each call is a transaction of its own."""

    def __init__(self, pool: Pool, *, holder: int | None = None) -> None:
        """``holder`` is the number by which this process shows that it is there, see ``bridge/db/presence.py``."""
        self._pool, self._holder = pool, holder

    async def claim(
        self,
        queue: Queue,
        *,
        limit: int,
        lease_seconds: float,
        held: Mapping[TenantID | None, int],
        most_per_tenant: int,
    ) -> Sequence[Lane]:
        """Take up to ``limit`` lanes that have work and are free.

        Tenants take turns: each tenant's first lane comes before anybody's second, and in a tenant the lane that was
        served longest ago comes first. ``held`` counts the lanes that this worker holds already, by tenant.
        """
        async with connection_of(self._pool) as connection:
            rows = await connection.fetch(
                _CLAIM,
                queue,
                limit,
                lease_seconds,
                [tenant_id or "" for tenant_id in held],
                list(held.values()),
                most_per_tenant,
                self._holder,
            )
        return [Lane(**dict(row)) for row in rows]

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

    async def hurry(self) -> None:
        """Have lanes that wait for something that was away tried now, and patiently from the start.

        What failed for itself keeps waiting. A queue is a transaction of its own and its lanes are locked in order, as
        everybody does who locks more than one.
        """
        for queue in get_args(Queue):
            async with connection_of(self._pool) as connection:
                await connection.execute(
                    "WITH waiting AS MATERIALIZED (SELECT lane_key FROM lanes WHERE queue = $1 AND pending > 0"
                    "  AND not_before > now() AND faults = 0 ORDER BY lane_key FOR NO KEY UPDATE)"
                    " UPDATE lanes SET not_before = now(), attempts = 0 FROM waiting"
                    " WHERE lanes.queue = $1 AND lanes.lane_key = waiting.lane_key",
                    queue,
                )

    async def release(
        self,
        lane: Lane,
        *,
        retry_after_seconds: float | None = None,
        new_head_after_seconds: float | None = None,
        error: str | None = None,
        is_fault: bool = False,
    ) -> bool:
        async with connection_of(self._pool) as connection:
            is_wanted: bool | None = await connection.fetchval(
                "UPDATE lanes SET lease_until = '-infinity', attempts = attempts + ($4::float IS NOT NULL)::int,"
                " not_before = coalesce(now() + make_interval(secs =>"
                # whoever takes items off a lane sets its attempts to 0
                "  CASE WHEN attempts < $7 THEN coalesce($8::float, $4) ELSE $4 END), not_before),"
                " faults = faults + $6::bool::int, error = coalesce($5, error)"
                " WHERE queue = $1 AND lane_key = $2 AND fence = $3 RETURNING pending > 0 AND not_before <= now()",
                lane.queue,
                lane.lane_key,
                lane.fence,
                retry_after_seconds,
                error,
                is_fault,
                lane.attempts,
                new_head_after_seconds,
            )
        return bool(is_wanted)
