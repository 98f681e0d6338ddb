"""Reconcile jobs of one tenant, with the recorded result of each effect."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from bridge.db.connection import Connection, rows_of
from bridge.db.lanes import add_to_lane, finish_items, hold_lane
from bridge.model.effect import Effect, EffectTarget, effect_target
from bridge.model.ids import JobID, RoomID, TenantID
from bridge.model.job import EffectResult, Job, Lane
from bridge.ports import Queue


class JobStore:
    """Implements the port ``Jobs``."""

    def __init__(self, connection: Connection, tenant_id: TenantID, woken: set[Queue]) -> None:
        self._connection, self._tenant_id, self._woken = connection, tenant_id, woken

    async def enqueue(self, revision: int) -> JobID:
        new_id = str(uuid.uuid4())
        job_id: str = await self._connection.fetchval(
            "INSERT INTO jobs (job_id, tenant_id, revision) VALUES ($1::text::uuid, $2, $3)"
            " ON CONFLICT (tenant_id) WHERE state = 'queued' DO UPDATE SET revision = greatest(jobs.revision, $3)"
            " RETURNING job_id::text",
            new_id,
            self._tenant_id,
            revision,
        )
        if job_id == new_id:
            await add_to_lane(self._connection, "reconcile", self._tenant_id, self._tenant_id)
            self._woken.add("reconcile")
        return JobID(job_id)

    async def find(self, job_id: JobID) -> Job | None:
        row = await self._connection.fetchrow(
            "SELECT state, error FROM jobs WHERE tenant_id = $1 AND job_id::text = $2", self._tenant_id, job_id
        )
        if row is None:
            return None
        effects = await self._connection.fetch(
            "SELECT * FROM job_effects WHERE tenant_id = $1 AND job_id::text = $2 ORDER BY position",
            self._tenant_id,
            job_id,
        )
        results = tuple(
            EffectResult(
                target=EffectTarget(
                    effect_id=effect["effect_id"],
                    kind=effect["kind"],
                    room_key=effect["room_key"],
                    room_id=effect["room_id"],
                    user_id=effect["user_id"],
                ),
                state=effect["state"],
                error=effect["error"],
            )
            for effect in effects
        )
        return Job(job_id=job_id, tenant_id=self._tenant_id, state=row["state"], error=row["error"], effects=results)

    async def next_open(self) -> JobID | None:
        """Return the job to work on: one that was begun and not finished before one that waits."""
        job_id: str | None = await self._connection.fetchval(
            "SELECT job_id::text FROM jobs WHERE tenant_id = $1 AND state IN ('running', 'queued')"
            " ORDER BY state = 'queued', created_at LIMIT 1",
            self._tenant_id,
        )
        return JobID(job_id) if job_id else None

    async def begin(self, lane: Lane, job_id: JobID, effects: Sequence[Effect]) -> int:
        await hold_lane(self._connection, lane)
        await self._connection.execute(
            "UPDATE jobs SET state = 'running' WHERE tenant_id = $1 AND job_id::text = $2", self._tenant_id, job_id
        )
        targets = [effect_target(effect) for effect in effects]
        await self._connection.execute(
            # one that failed stays, unless it is about to be tried again
            "DELETE FROM job_effects WHERE tenant_id = $1 AND job_id::text = $2"
            " AND (state = 'pending' OR state = 'failed' AND effect_id = ANY($3))",
            self._tenant_id,
            job_id,
            [target.effect_id for target in targets],
        )
        first: int = await self._connection.fetchval(
            "SELECT coalesce(max(position) + 1, 0) FROM job_effects WHERE tenant_id = $1 AND job_id::text = $2",
            self._tenant_id,
            job_id,
        )
        await self._connection.executemany(
            "INSERT INTO job_effects (job_id, tenant_id, position, effect_id, kind, room_key, room_id, user_id)"
            " VALUES ($1::text::uuid, $2, $3, $4, $5, $6, $7, $8)",
            [
                (job_id, self._tenant_id, first + offset, t.effect_id, t.kind, t.room_key, t.room_id, t.user_id)
                for offset, t in enumerate(targets)
            ],
        )
        return first

    async def record_effect(
        self, lane: Lane, job_id: JobID, position: int, *, room_id: RoomID | None, error: str | None
    ) -> None:
        await hold_lane(self._connection, lane)
        await self._connection.execute(
            "UPDATE job_effects SET state = $4, error = $5, room_id = coalesce($6, room_id)"
            " WHERE tenant_id = $1 AND job_id::text = $2 AND position = $3",
            self._tenant_id,
            job_id,
            position,
            "done" if error is None else "failed",
            error,
            room_id,
        )

    async def finish(self, lane: Lane, job_id: JobID, *, error: str | None) -> None:
        await finish_items(
            self._connection,
            lane,
            "UPDATE jobs SET state = $7, error = $8, finished_at = now() WHERE tenant_id = $5 AND job_id::text = $6",
            self._tenant_id,
            job_id,
            "done" if error is None else "failed",
            error,
        )

    async def forget_finished(self, before: datetime) -> int:
        status = await self._connection.execute(
            "DELETE FROM jobs WHERE tenant_id = $1 AND finished_at < $2", self._tenant_id, before
        )
        return rows_of(status)
