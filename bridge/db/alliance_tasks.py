"""Which alliances have to be looked at, because a side of theirs has changed; items of the queue 'people'.

A tenant has one lane for them, and only who holds the tenant, or works the lane off, locks it: so it stands in no order
with the lanes of people.
"""

from collections.abc import Collection, Sequence

from bridge.db.connection import Connection
from bridge.db.lanes import add_to_lane, finish_items
from bridge.model.alliance import ALLIANCES_PREFIX, AllianceTask
from bridge.model.ids import AllianceID, MemberID, TenantID
from bridge.model.job import Lane
from bridge.ports import Queue


class AllianceTaskStore:
    """Writes down, in the transaction of a change, what follows from it for alliances of its tenant."""

    def __init__(self, connection: Connection, tenant_id: TenantID, woken: set[Queue]) -> None:
        self._connection, self._tenant_id, self._woken = connection, tenant_id, woken

    async def add(self, alliance_ids: Sequence[AllianceID]) -> None:
        """Have alliances looked at, each by an item of its own."""
        if not alliance_ids:
            return
        lane_key = ALLIANCES_PREFIX + self._tenant_id
        await add_to_lane(self._connection, "people", lane_key, self._tenant_id, count=len(alliance_ids))
        await self._connection.execute(
            "INSERT INTO person_tasks (lane_key, tenant_id, kind, alliance_id)"
            " SELECT $1, $2, 'alliance', alliance_id FROM unnest($3::text[]) AS a(alliance_id)",
            lane_key,
            self._tenant_id,
            list(alliance_ids),
        )
        self._woken.add("people")

    async def add_all(self) -> None:
        """Have every alliance of the tenant looked at that has not ended: the tenant came, or its status changed."""
        rows = await self._connection.fetch(
            "SELECT alliance_id FROM alliances WHERE state <> 'ended' ORDER BY alliance_id"
        )
        await self.add([AllianceID(row["alliance_id"]) for row in rows])

    async def add_those_with(self, member_ids: Collection[MemberID]) -> None:
        """Have the alliances looked at for which the tenant, as the partner, has chosen any of these people."""
        rows = await self._connection.fetch(
            "SELECT DISTINCT alliance_id FROM alliance_members m JOIN alliances a USING (alliance_id)"
            " WHERE m.tenant_id = $1 AND a.partner_tenant_id = $1 AND m.member_id = ANY($2) AND a.state <> 'ended'"
            " ORDER BY alliance_id",
            self._tenant_id,
            list(member_ids),
        )
        await self.add([AllianceID(row["alliance_id"]) for row in rows])

    async def pending(self, lane: Lane, *, limit: int) -> Sequence[AllianceTask]:
        """Return the lane's next items."""
        rows = await self._connection.fetch(
            "SELECT task_id, alliance_id FROM person_tasks WHERE lane_key = $1 ORDER BY task_id LIMIT $2",
            lane.lane_key,
            limit,
        )
        return [AllianceTask(**dict(row)) for row in rows]

    async def finish(self, lane: Lane, tasks: Sequence[AllianceTask]) -> None:
        """Forget items that are done; the lane must still be held."""
        await finish_items(
            self._connection,
            lane,
            "DELETE FROM person_tasks WHERE task_id = ANY($5)",
            [task.task_id for task in tasks],
        )

    async def bury(self, lane: Lane, error: str) -> None:
        """Set the lane's oldest item aside."""
        tasks = await self.pending(lane, limit=1)
        await self.finish(lane, tasks)
        for task in tasks:
            await self._connection.execute(
                "INSERT INTO quarantine (body, error) VALUES ($1, $2)", f"alliance {task.alliance_id}", error
            )
