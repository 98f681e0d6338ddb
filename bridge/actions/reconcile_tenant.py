"""Bring Matrix to what is desired of a tenant: plan, apply room by room, look at what stands, and plan again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from bridge.actions.apply_effect import ApplyEffect
from bridge.actions.plan_tenant import find_tenant, plan_of
from bridge.errors import BitnexusError, DependencyDown
from bridge.model.audit import SYSTEM_ACTOR, AuditEntry
from bridge.model.effect import Effect, effect_target
from bridge.model.ids import JobID, RoomID, RoomKey, TenantID
from bridge.model.job import Lane
from bridge.model.json import Json
from bridge.model.room import MatrixHouse
from bridge.policy.stages import group_of, stage_of
from bridge.ports import Database, Homeserver, Work

T = TypeVar("T")

_MAX_ROUNDS = 4
_ROOMS_AT_ONCE = 4


@dataclass(slots=True, kw_only=True)
class _Run:
    """One job under way."""

    lane: Lane
    tenant_id: TenantID
    job_id: JobID
    resumed: bool
    room_ids: dict[RoomKey, RoomID]
    touched: set[RoomID] = field(default_factory=set[RoomID])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    applied: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileTenant:
    """Work off the oldest open job of a tenant; a job that was interrupted goes on from what now stands."""

    database: Database
    homeserver: Homeserver
    house: MatrixHouse
    apply: ApplyEffect

    async def __call__(self, lane: Lane) -> int:
        """Finish one job of the lane and return 1; raises DependencyDown, and then the job goes on later."""
        tenant_id = TenantID(lane.lane_key)
        async with self.database.work(tenant_id) as work:
            job_id = await work.jobs.next_open()
            job = await work.jobs.find(job_id) if job_id else None
            if job_id is not None:
                # before the plan is read: what is asked for from now on is another job, and not forgotten with this one
                await work.jobs.begin(lane, job_id, ())
            room_ids = dict(await work.rooms.room_ids())
        if job is None or job_id is None:
            return 0
        run = _Run(lane=lane, tenant_id=tenant_id, job_id=job_id, resumed=job.state == "running", room_ids=room_ids)
        if run.resumed:
            await self._look_at(run, room_ids.values())
        await self._finish(run, gave_up=not await self._settle(run))
        return 1

    async def bury(self, lane: Lane, error: str) -> None:
        """End the lane's oldest job as failed."""
        async with self.database.work(TenantID(lane.lane_key)) as work:
            job_id = await work.jobs.next_open()
            if job_id is not None:
                await work.jobs.finish(lane, job_id, error=error)

    async def _settle(self, run: _Run) -> bool:
        """Plan and apply until nothing is left to try; False when that does not come to an end."""
        for _ in range(_MAX_ROUNDS):
            if not await self._round(run):
                return True
        async with self.database.work(run.tenant_id) as work:
            return not await self._left(work, run)

    async def _left(self, work: Work, run: _Run) -> list[Effect]:
        """Return what is to be done still, without what was refused."""
        plan = await plan_of(work, await find_tenant(work), self.house)
        return [effect for effect in plan.effects if effect_target(effect).effect_id not in run.failed]

    async def _round(self, run: _Run) -> bool:
        """Plan and apply once; False when nothing was left to try."""
        async with self.database.work(run.tenant_id) as work:
            effects = await self._left(work, run)
            position = await work.jobs.begin(run.lane, run.job_id, effects)
        if not effects:
            return False
        numbered = list(enumerate(effects, start=position))
        for _, stage in groupby(numbered, key=lambda pair: stage_of(pair[1])):
            await self._stage(run, list(stage))
        await self._look_at(run, run.touched)
        return True

    async def _stage(self, run: _Run, numbered: Sequence[tuple[int, Effect]]) -> None:
        """Apply effects of one stage: in order within a room or person, several of those at once."""
        groups: dict[str, list[tuple[int, Effect]]] = {}
        for position, effect in numbered:
            groups.setdefault(group_of(effect), []).append((position, effect))
        await _each(groups.values(), lambda group: self._group(run, group))

    async def _group(self, run: _Run, numbered: Sequence[tuple[int, Effect]]) -> None:
        for position, effect in numbered:
            await self._apply(run, position, effect)

    async def _apply(self, run: _Run, position: int, effect: Effect) -> None:
        error: str | None = None
        room_id: RoomID | None = None
        target = effect_target(effect)
        try:
            room_id = await self.apply(run.tenant_id, effect, run.room_ids, resumed=run.resumed)
        except DependencyDown:
            raise
        except BitnexusError as refusal:
            error = run.failed[target.effect_id] = refusal.sentence
        else:
            run.applied += 1
            if room_id is not None:
                run.touched.add(room_id)
                if target.room_key is not None:
                    run.room_ids[target.room_key] = room_id
        async with self.database.work(run.tenant_id) as work:
            await work.jobs.record_effect(run.lane, run.job_id, position, room_id=room_id, error=error)

    async def _look_at(self, run: _Run, room_ids: Iterable[RoomID]) -> None:
        """Read the state of rooms from Synapse, one request each: what we see is what we go by."""
        await _each(list(room_ids), lambda room_id: self._look_at_room(run.tenant_id, room_id))
        run.touched.clear()

    async def _look_at_room(self, tenant_id: TenantID, room_id: RoomID) -> None:
        state = await self.homeserver.room_state(room_id)
        async with self.database.work(tenant_id) as work:
            await work.rooms.record_state(state)

    async def _finish(self, run: _Run, *, gave_up: bool) -> None:
        error = _verdict(len(run.failed), gave_up=gave_up)
        async with self.database.act(run.tenant_id, SYSTEM_ACTOR) as act:
            await act.jobs.finish(run.lane, run.job_id, error=error)
            if run.applied or error:
                details: dict[str, Json] = {"job_id": run.job_id, "applied": run.applied, "failed": len(run.failed)}
                await act.audit(AuditEntry(action="tenant.reconciled", target=run.tenant_id, details=details))
            else:
                act.nothing_changed()


def _verdict(failed: int, *, gave_up: bool) -> str | None:
    if failed:
        return f"{failed} effects failed; each says why"
    return "what was made was undone again and again by somebody else" if gave_up else None


async def _each(items: Iterable[T], act: Callable[[T], Awaitable[None]]) -> None:
    """Act on each item, a few at once; let all come to an end, then raise the first error."""
    places = asyncio.Semaphore(_ROOMS_AT_ONCE)

    async def act_in_place(item: T) -> None:
        async with places:
            await act(item)

    results = await asyncio.gather(*(act_in_place(item) for item in items), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
