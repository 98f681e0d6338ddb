"""Alliances of the transaction's tenant: row-level security shows it those, and lets it write its part."""

from collections.abc import Collection, Sequence

import asyncpg

from bridge.db.alliance_tasks import AllianceTaskStore
from bridge.db.connection import Connection
from bridge.model.alliance import Alliance, AllianceState, AllianceStep, AllianceTask, Step
from bridge.model.ids import AllianceID, MemberID, TenantID
from bridge.model.job import Lane


class AllianceStore:
    """Implements the port ``Alliances``."""

    def __init__(self, connection: Connection, tenant_id: TenantID, tasks: AllianceTaskStore) -> None:
        self._connection, self._tenant_id, self._tasks = connection, tenant_id, tasks

    async def find(self, alliance_id: AllianceID) -> Alliance | None:
        row = await self._connection.fetchrow("SELECT * FROM alliances WHERE alliance_id = $1", alliance_id)
        return (await self._with_members([row]))[0] if row else None

    async def hold(self, alliance_id: AllianceID) -> Alliance | None:
        row = await self._connection.fetchrow("SELECT * FROM alliances WHERE alliance_id = $1 FOR UPDATE", alliance_id)
        return (await self._with_members([row]))[0] if row else None

    async def list_after(self, alliance_id: AllianceID | None, *, limit: int) -> Sequence[Alliance]:
        rows = await self._connection.fetch(
            'SELECT * FROM alliances WHERE alliance_id > $1 COLLATE "C" ORDER BY alliance_id COLLATE "C" LIMIT $2',
            alliance_id or "",
            limit,
        )
        return await self._with_members(rows)

    async def open_ids(self) -> Sequence[AllianceID]:
        rows = await self._connection.fetch(
            "SELECT alliance_id FROM alliances WHERE state <> 'ended' ORDER BY alliance_id"
        )
        return [AllianceID(row["alliance_id"]) for row in rows]

    async def _with_members(self, rows: Sequence[asyncpg.Record]) -> Sequence[Alliance]:
        members: dict[AllianceID, dict[TenantID, set[MemberID]]] = {row["alliance_id"]: {} for row in rows}
        for found in await self._connection.fetch(
            "SELECT alliance_id, tenant_id, member_id FROM alliance_members WHERE alliance_id = ANY($1)", list(members)
        ):
            members[found["alliance_id"]].setdefault(found["tenant_id"], set()).add(found["member_id"])
        return [_alliance_from(row, members[row["alliance_id"]]) for row in rows]

    async def add(self, alliance: Alliance) -> bool:
        # whether the id is another two tenants' is seen by nothing but that it cannot be added
        added: bool | None = await self._connection.fetchval(
            "INSERT INTO alliances (alliance_id, tenant_id, partner_tenant_id, name, state, revision)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING true",
            alliance.alliance_id,
            alliance.owner_tenant_id,
            alliance.partner_tenant_id,
            alliance.name,
            alliance.state.value,
            alliance.revision,
        )
        return bool(added)

    async def save(self, alliance: Alliance) -> None:
        await self._connection.execute(
            "UPDATE alliances SET name = $2, state = $3, suspended_by = $4, accepted_at = $5, ended_at = $6,"
            " ended_by_tenant = $7, revision = $8 WHERE alliance_id = $1",
            alliance.alliance_id,
            alliance.name,
            alliance.state.value,
            sorted(alliance.suspended_by),
            alliance.accepted_at,
            alliance.ended_at,
            alliance.ended_by_tenant,
            alliance.revision,
        )
        await self._tasks.add([alliance.alliance_id])

    async def choose(self, alliance_id: AllianceID, member_ids: Collection[MemberID]) -> None:
        await self._connection.execute(
            "DELETE FROM alliance_members WHERE alliance_id = $1 AND tenant_id = $2 AND member_id <> ALL($3)",
            alliance_id,
            self._tenant_id,
            list(member_ids),
        )
        await self._connection.execute(
            "INSERT INTO alliance_members (alliance_id, tenant_id, member_id)"
            " SELECT $1, $2, member_id FROM unnest($3::text[]) AS m(member_id) ON CONFLICT DO NOTHING",
            alliance_id,
            self._tenant_id,
            sorted(member_ids),
        )
        await self._tasks.add([alliance_id])

    async def note_step(self, alliance: Alliance, step: Step) -> None:
        await self._connection.execute(
            "INSERT INTO alliance_steps (alliance_id, revision, tenant_id, step) VALUES ($1, $2, $3, $4)",
            alliance.alliance_id,
            alliance.revision,
            self._tenant_id,
            step,
        )

    async def take_untold(self, alliance_id: AllianceID) -> Sequence[AllianceStep]:
        rows = await self._connection.fetch(
            "UPDATE alliance_steps SET told_at = now() WHERE alliance_id = $1 AND tenant_id <> $2 AND told_at IS NULL"
            " RETURNING revision, tenant_id, step",
            alliance_id,
            self._tenant_id,
        )
        return sorted((AllianceStep(**dict(row)) for row in rows), key=lambda step: step.revision)

    async def tasks(self, lane: Lane, *, limit: int) -> Sequence[AllianceTask]:
        return await self._tasks.pending(lane, limit=limit)

    async def finish(self, lane: Lane, tasks: Sequence[AllianceTask]) -> None:
        await self._tasks.finish(lane, tasks)

    async def bury(self, lane: Lane, error: str) -> None:
        await self._tasks.bury(lane, error)


def _alliance_from(row: asyncpg.Record, members: dict[TenantID, set[MemberID]]) -> Alliance:
    return Alliance(
        alliance_id=row["alliance_id"],
        owner_tenant_id=row["tenant_id"],
        partner_tenant_id=row["partner_tenant_id"],
        name=row["name"],
        state=AllianceState(row["state"]),
        revision=row["revision"],
        suspended_by=frozenset(row["suspended_by"]),
        accepted_at=row["accepted_at"],
        ended_at=row["ended_at"],
        ended_by_tenant=row["ended_by_tenant"],
        members={tenant_id: frozenset(found) for tenant_id, found in members.items()},
    )
