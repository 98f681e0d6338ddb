"""The queue 'people': what Synapse has yet to be told of people, beside their sessions and their standing.

Locks are taken in one order, so that nobody waits in a circle: the lane of a tenant's standings, the lanes of people in
the order of their ids, the people's standings.
"""

from collections.abc import Collection, Sequence

from bridge.db.connection import Connection
from bridge.db.lanes import add_to_lane, add_to_lanes, finish_items
from bridge.model.ids import MemberID, TenantID
from bridge.model.job import Lane
from bridge.model.standing import STANDINGS_PREFIX, PersonTask, TaskKind
from bridge.ports import Queue


class PersonTaskStore:
    """Implements the port ``PersonTasks``."""

    def __init__(self, connection: Connection, tenant_id: TenantID, woken: set[Queue]) -> None:
        self._connection, self._tenant_id, self._woken = connection, tenant_id, woken

    async def end_sessions(self, member_ids: Collection[MemberID]) -> None:
        await self.enqueue("standing", member_ids)
        await self.enqueue("log_out", member_ids)
        await self._void_sessions(member_ids)

    async def _void_sessions(self, member_ids: Collection[MemberID]) -> None:
        await self._connection.execute(
            "INSERT INTO standings AS s (member_id, sessions_epoch)"
            " SELECT member_id, 1 FROM unnest($1::text[]) AS m(member_id)"
            " JOIN users USING (member_id) ORDER BY member_id"
            " ON CONFLICT (member_id) DO UPDATE SET sessions_epoch = s.sessions_epoch + 1",
            sorted(set(member_ids)),
        )
        await self._connection.execute("DELETE FROM sessions WHERE member_id = ANY($1)", list(member_ids))

    async def review_expired(self, member_ids: Collection[MemberID]) -> None:
        """Look anew at the standing of those who are expired, or may be about to be."""
        rows = await self._connection.fetch(
            "SELECT member_id FROM standings WHERE expired AND member_id = ANY($1)"
            " UNION SELECT member_id FROM person_tasks WHERE member_id = ANY($1)",
            list(member_ids),
        )
        await self.enqueue("standing", [MemberID(row["member_id"]) for row in rows])

    async def enqueue(self, kind: TaskKind, member_ids: Collection[MemberID]) -> None:
        people = sorted(set(member_ids))
        if not people:
            return
        standings_lane = STANDINGS_PREFIX + self._tenant_id if kind == "standing" else None
        if standings_lane is None:
            await add_to_lanes(self._connection, "people", people, self._tenant_id)
        else:
            await add_to_lane(self._connection, "people", standings_lane, self._tenant_id, count=len(people))
        await self._connection.execute(
            "INSERT INTO person_tasks (lane_key, member_id, tenant_id, kind)"
            " SELECT coalesce($1, member_id), member_id, $3, $4 FROM unnest($2::text[]) AS m(member_id)",
            standings_lane,
            people,
            self._tenant_id,
            kind,
        )
        self._woken.add("people")

    async def pending(self, lane_key: str, *, limit: int) -> Sequence[PersonTask]:
        rows = await self._connection.fetch(
            "SELECT task_id, member_id, kind, tenant_id FROM person_tasks"
            " WHERE lane_key = $1 ORDER BY task_id LIMIT $2",
            lane_key,
            limit,
        )
        return [PersonTask(**dict(row)) for row in rows]

    async def is_waiting(self, member_id: MemberID) -> bool:
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM person_tasks WHERE member_id = $1 AND kind NOT IN ('direct_list', 'staff'))",
            member_id,
        )
        return found

    async def finish(self, lane: Lane, tasks: Sequence[PersonTask]) -> None:
        await finish_items(
            self._connection,
            lane,
            "DELETE FROM person_tasks WHERE task_id = ANY($5)",
            [task.task_id for task in tasks],
        )

    async def bury(self, lane: Lane, task: PersonTask, error: str) -> None:
        await self.finish(lane, [task])
        await self._connection.execute(
            "INSERT INTO quarantine (body, error) VALUES ($1, $2)", f"{task.kind} of {task.member_id}", error
        )

    async def record_told(self, *, expired: Collection[MemberID], restored: Collection[MemberID]) -> None:
        new = await self._connection.fetch(
            "SELECT m.member_id FROM unnest($1::text[]) AS m(member_id) LEFT JOIN standings s USING (member_id)"
            " WHERE NOT coalesce(s.expired, false)",
            list(expired),
        )
        newly_expired = [MemberID(row["member_id"]) for row in new]
        await self.enqueue("log_out", newly_expired)
        await self._void_sessions(newly_expired)
        told = dict.fromkeys(restored, False) | dict.fromkeys(expired, True)
        await self._connection.execute(
            "INSERT INTO standings (member_id, expired) SELECT member_id, expired"
            " FROM unnest($1::text[], $2::bool[]) AS m(member_id, expired)"
            " JOIN users USING (member_id) ORDER BY member_id"
            " ON CONFLICT (member_id) DO UPDATE SET expired = excluded.expired",
            list(told),
            list(told.values()),
        )
