"""Reconcile jobs of one tenant, with the recorded result of each effect, and how the tenant stands after them."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from bridge.db.connection import Connection, rows_of
from bridge.db.lanes import add_to_lane, finish_items, hold_lane
from bridge.model.effect import CreateRoom, Effect, EffectTarget, effect_target
from bridge.model.ids import EffectID, JobID, TenantID
from bridge.model.job import EffectResult, Job, JobOutcome, Lane, OpenJob, Result
from bridge.policy.budget import HORIZON_SECONDS, Written, rewrite_of
from bridge.ports import Queue
from bridge.telemetry import RECONCILE_EFFECTS


class JobStore:
    """Implements the port ``Jobs``."""

    def __init__(self, connection: Connection, tenant_id: TenantID, woken: set[Queue]) -> None:
        self._connection, self._tenant_id, self._woken = connection, tenant_id, woken

    async def enqueue(self, revision: int, *, verify: bool = False) -> JobID:
        new_id = str(uuid.uuid4())
        await add_to_lane(self._connection, "reconcile", self._tenant_id, self._tenant_id, count=0)
        job_id: str = await self._connection.fetchval(
            "INSERT INTO jobs (job_id, tenant_id, revision, verify) VALUES ($1::text::uuid, $2, $3, $4)"
            " ON CONFLICT (tenant_id) WHERE state = 'queued' DO UPDATE SET revision = greatest(jobs.revision, $3),"
            " verify = jobs.verify OR $4, asks = jobs.asks + 1 RETURNING job_id::text",
            new_id,
            self._tenant_id,
            revision,
            verify,
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
            "SELECT * FROM job_effects WHERE tenant_id = $1 AND job_id = $2::text::uuid ORDER BY position",
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

    async def next_open(self) -> OpenJob | None:
        row = await self._connection.fetchrow(
            "SELECT job_id::text, state, verify FROM jobs WHERE tenant_id = $1 AND state IN ('running', 'queued')"
            " ORDER BY state = 'queued', created_at LIMIT 1",
            self._tenant_id,
        )
        if row is None:
            return None
        return OpenJob(job_id=row["job_id"], is_resumed=row["state"] == "running", verify=row["verify"])

    async def asked(self) -> int:
        asks: int | None = await self._connection.fetchval(
            "SELECT asks FROM jobs WHERE tenant_id = $1 AND state = 'queued'", self._tenant_id
        )
        return asks or 0

    async def begin(self, lane: Lane, job_id: JobID, effects: Sequence[Effect]) -> int:
        await hold_lane(self._connection, lane)
        await self._connection.execute(
            "UPDATE jobs SET state = 'running' WHERE tenant_id = $1 AND job_id = $2::text::uuid AND state <> 'running'",
            self._tenant_id,
            job_id,
        )
        targets = [effect_target(effect) for effect in effects]
        await self._connection.execute(
            # one that failed stays, unless it is about to be tried again
            "DELETE FROM job_effects WHERE tenant_id = $1 AND job_id = $2::text::uuid"
            " AND (state = 'pending' OR state = 'failed' AND effect_id = ANY($3))",
            self._tenant_id,
            job_id,
            [target.effect_id for target in targets],
        )
        first: int = await self._connection.fetchval(
            "SELECT coalesce(max(position) + 1, 0) FROM job_effects WHERE tenant_id = $1 AND job_id = $2::text::uuid",
            self._tenant_id,
            job_id,
        )
        rewrites = [rewrite_of(effect) for effect in effects]
        await self._connection.execute(
            "INSERT INTO job_effects"
            " (job_id, tenant_id, position, effect_id, kind, room_key, room_id, user_id, subject, value)"
            " SELECT $1::text::uuid, $2, $3 + n - 1, effect_id, kind, room_key, room_id, user_id, subject, value"
            " FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])"
            " WITH ORDINALITY AS e(effect_id, kind, room_key, room_id, user_id, subject, value, n)",
            job_id,
            self._tenant_id,
            first,
            [target.effect_id for target in targets],
            [target.kind for target in targets],
            [target.room_key for target in targets],
            [target.room_id for target in targets],
            [target.user_id for target in targets],
            [rewrite.subject if rewrite else None for rewrite in rewrites],
            [rewrite.value if rewrite else None for rewrite in rewrites],
        )
        return first

    async def record_results(self, lane: Lane, job_id: JobID, results: Sequence[Result]) -> None:
        await hold_lane(self._connection, lane)
        await self._connection.execute(
            "UPDATE job_effects e SET state = CASE WHEN r.error IS NULL THEN 'done' ELSE 'failed' END, error = r.error,"
            " room_id = coalesce(r.room_id, e.room_id), made_at = now()"
            " FROM unnest($3::int[], $4::text[], $5::text[]) AS r(position, error, room_id)"
            " WHERE e.tenant_id = $1 AND e.job_id = $2::text::uuid AND e.position = r.position",
            self._tenant_id,
            job_id,
            [result.position for result in results],
            [result.error for result in results],
            [result.room_id for result in results],
        )
        for result in results:
            outcome = "withheld" if result.is_withheld else "failed" if result.error else "done"
            RECONCILE_EFFECTS.labels(result.effect.kind, outcome).inc()

    async def tried_before(self, job_id: JobID, effects: Sequence[CreateRoom]) -> frozenset[EffectID]:
        rows = await self._connection.fetch(
            "SELECT DISTINCT effect_id FROM job_effects WHERE tenant_id = $1 AND effect_id = ANY($3)"
            " AND kind = 'create_room' AND state <> 'done' AND job_id <> $2::text::uuid",
            self._tenant_id,
            job_id,
            [effect_target(effect).effect_id for effect in effects],
        )
        return frozenset(row["effect_id"] for row in rows)

    async def written(self, subjects: Sequence[str]) -> Mapping[str, Sequence[Written]]:
        if not subjects:
            return {}
        rows = await self._connection.fetch(
            "SELECT e.subject, e.value, extract(epoch FROM now() - e.made_at)::float AS age FROM job_effects e"
            " JOIN jobs j USING (job_id) WHERE j.tenant_id = $1 AND e.subject = ANY($2) AND e.state = 'done'"
            " AND coalesce(j.finished_at, now()) > now() - make_interval(secs => $3)"
            " AND e.made_at > now() - make_interval(secs => $3) ORDER BY e.made_at, e.position",
            self._tenant_id,
            list(subjects),
            HORIZON_SECONDS,
        )
        found: dict[str, list[Written]] = defaultdict(list)
        for row in rows:
            found[row["subject"]].append(Written(value=row["value"], age_seconds=row["age"]))
        return found

    async def finish(self, lane: Lane, job_id: JobID, outcome: JobOutcome) -> None:
        await finish_items(
            self._connection,
            lane,
            "UPDATE jobs SET state = $7, error = $8, finished_at = now()"
            " WHERE tenant_id = $5 AND job_id = $6::text::uuid",
            self._tenant_id,
            job_id,
            "done" if outcome.error is None else "failed",
            outcome.error,
        )
        await self._connection.execute(
            "INSERT INTO tenant_upkeep AS k (tenant_id, settled_revision, failures, retry_at) VALUES ($1,"
            " CASE WHEN $3::text IS NULL THEN $2::bigint END, ($3 IS NOT NULL)::int,"
            " CASE WHEN $3 IS NOT NULL THEN now() + make_interval(secs => least($4::float8, 60)) END)"
            " ON CONFLICT (tenant_id) DO UPDATE SET"
            " settled_revision = CASE WHEN $3 IS NULL THEN $2 ELSE k.settled_revision END,"
            " failures = CASE WHEN $3 IS NULL THEN 0 ELSE k.failures + 1 END,"
            # a minute, doubled with each failure in a row, an hour at most; sooner where we know when
            " retry_at = CASE WHEN $3 IS NOT NULL THEN now() + make_interval(secs =>"
            "  least($4, 60 * 2 ^ least(k.failures, 6)::float8, 3600)) END,"
            " verified_at = CASE WHEN $5 THEN now() ELSE k.verified_at END",
            self._tenant_id,
            outcome.revision,
            outcome.error,
            outcome.retry_after_seconds,
            outcome.is_verified,
        )

    async def forget_finished(self, before: datetime) -> int:
        status = await self._connection.execute(
            "DELETE FROM jobs WHERE tenant_id = $1 AND finished_at < $2", self._tenant_id, before
        )
        return rows_of(status)
