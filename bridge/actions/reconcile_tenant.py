"""Bring Matrix to what is desired of a tenant: plan, apply room by room, look at what stands, and plan again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

import structlog

from bridge.actions.apply_effect import ApplyEffect
from bridge.actions.open_ticket import send_first_messages
from bridge.actions.plan_tenant import find_tenant
from bridge.actions.reconcile_run import Run
from bridge.errors import BitnexusError, DependencyDown
from bridge.model.audit import SYSTEM_ACTOR, AuditEntry
from bridge.model.effect import CreateRoom, Effect, RegisterUser, SetAvatar, SetDisplayName
from bridge.model.event import MatrixEvent
from bridge.model.ids import RoomID, TenantID
from bridge.model.job import JobOutcome, Lane
from bridge.model.json import Json
from bridge.model.room import MatrixHouse
from bridge.policy.budget import rewrite_of, seconds_to_wait
from bridge.policy.foresight import foresee
from bridge.policy.layout import lay_out
from bridge.policy.reconcile import reconcile
from bridge.policy.stages import group_of, stage_of
from bridge.ports import Clock, Database, Homeserver, Work

_log = structlog.stdlib.get_logger("bridge.reconcile")

T = TypeVar("T")
Numbered = tuple[int, Effect]

_MAX_ROUNDS = 32  # more than the budget of any one effect
_ROOMS_AT_ONCE = 4
_RECORD_SECONDS = 0.5  # results wait so long to be recorded together; as often we look for a newer wish
_ROOMS_A_RECORD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileTenant:
    """Work off the oldest open job of a tenant.

    A job that was interrupted goes on from what now stands. A newer wish interrupts the plan under way, so that what it
    takes away does not wait for what the older one gives.
    """

    database: Database
    homeserver: Homeserver
    house: MatrixHouse
    apply: ApplyEffect
    clock: Clock

    async def __call__(self, lane: Lane) -> int:
        """Finish one job of the lane and return 1; raises DependencyDown, and then the job goes on later."""
        tenant_id = TenantID(lane.lane_key)
        async with self.database.work(tenant_id) as work:
            job = await work.jobs.next_open()
            if job is not None:
                # before the plan is read: what is asked for from now on is another job, and not forgotten with this one
                await work.jobs.begin(lane, job.job_id, ())
            observed = await work.rooms.observed()
        if job is None:
            return 0
        room_ids = {key: room.room_id for key, room in observed.rooms.items()}
        run = Run(lane=lane, tenant_id=tenant_id, job=job, room_ids=room_ids, bots=self.house.bots, observed=observed)
        if run.reads_everything:
            await self._look_at(run, room_ids.values())
        is_settled = await self._settle(run)
        async with self.database.work(tenant_id) as work:
            await send_first_messages(work, self.house)  # everybody who can be is in the rooms now, and sees them
        await self._finish(run, run.outcome(is_settled=is_settled))
        return 1

    async def bury(self, lane: Lane, error: str) -> None:
        """End the lane's oldest job as failed."""
        async with self.database.work(TenantID(lane.lane_key)) as work:
            job, tenant = await work.jobs.next_open(), await work.tenants.find()
            if job is not None:
                revision = tenant.revision if tenant else 0
                await work.jobs.finish(lane, job.job_id, JobOutcome(revision=revision, error=error))

    async def _settle(self, run: Run) -> bool:
        """Plan and apply until nothing is left to try; False when that does not come to an end."""
        rounds = 0
        while rounds < _MAX_ROUNDS:
            if not await self._round(run):
                return True
            rounds += not run.is_outdated
        return False

    async def _round(self, run: Run) -> bool:
        """Plan and apply once; False when nothing was left to try."""
        numbered = await self._plan(run)
        if not numbered and not run.touched:
            await self._record(run)  # what is withheld
            return False
        try:
            for _, stage in groupby(numbered, key=lambda pair: stage_of(pair[1])):
                await self._stage(run, list(stage))
        finally:
            await self._record(run)
        if not run.is_outdated or not numbered:
            await self._look_at(run, run.touched)
        return True

    async def _plan(self, run: Run) -> list[Numbered]:
        """Return what is to be done still, numbered as the job has it, without what was refused or is withheld."""
        async with self.database.work(run.tenant_id) as work:
            # before the tenant is read: what is asked for from here on makes the plan outdated
            run.asked, run.is_outdated = await work.jobs.asked(), False
            run.recorded_at = self.clock.monotonic()
            tenant = await find_tenant(work)
            run.revision = tenant.revision
            run.observed = foresee(await work.rooms.observed(), run.made, run.room_ids, run.bots)
            run.room_ids |= {key: room.room_id for key, room in run.observed.rooms.items()}
            desired = lay_out(tenant, self.house, run.room_ids)
            effects = [effect for effect in reconcile(desired, run.observed, run.bots) if run.is_left(effect)]
            first = await work.jobs.begin(run.lane, run.job.job_id, effects)
            creations = [effect for effect in effects if isinstance(effect, CreateRoom)]
            if creations:
                run.tried_before = await work.jobs.tried_before(run.job.job_id, creations)
            return await self._withhold(work, run, list(enumerate(effects, start=first)))

    async def _withhold(self, work: Work, run: Run, numbered: Sequence[Numbered]) -> list[Numbered]:
        """Return the effects without those that somebody undoes again and again."""
        rewrites = [rewrite_of(effect) for _, effect in numbered]
        subjects = [rewrite.subject for rewrite in rewrites if rewrite]
        written = await work.jobs.written(subjects)
        left: list[Numbered] = []
        for (position, effect), rewrite in zip(numbered, rewrites, strict=True):
            wait = seconds_to_wait(effect, written.get(rewrite.subject, ())) if rewrite else 0.0
            if wait:
                run.note_withheld(position, effect, wait)
                _log.warning(
                    "withheld: somebody undoes it again and again",
                    tenant_id=run.tenant_id,
                    effect=effect.kind,
                    room_key=getattr(effect, "room_key", None),
                    event_type=getattr(effect, "event_type", None),
                    seconds=round(wait),
                )
            else:
                left.append((position, effect))
        return left

    async def _stage(self, run: Run, numbered: Sequence[Numbered]) -> None:
        """Apply effects of one stage: in order within a room or person, several of those at once."""
        groups: dict[str, list[Numbered]] = {}
        for position, effect in numbered:
            groups.setdefault(group_of(effect), []).append((position, effect))
        await _each(groups.values(), lambda group: self._group(run, group))

    async def _group(self, run: Run, numbered: Sequence[Numbered]) -> None:
        for position, effect in numbered:
            if run.is_outdated:
                return
            await self._apply(run, position, effect)
            if self.clock.monotonic() - run.recorded_at >= _RECORD_SECONDS:
                await self._record(run)

    async def _apply(self, run: Run, position: int, effect: Effect) -> None:
        try:
            room_id = await self.apply(run.tenant_id, effect, run.room_ids, may_exist=run.may_exist(effect))
        except DependencyDown:
            raise
        except BitnexusError as refusal:
            run.note_refused(position, effect, refusal)
        else:
            run.note_made(position, effect, room_id)

    async def _record(self, run: Run) -> None:
        """Store what became of effects, and look whether something else is wished for meanwhile."""
        results, run.results = run.results, []
        run.recorded_at = self.clock.monotonic()
        async with self.database.work(run.tenant_id) as work:
            for result in results:
                if result.error is None:
                    await _record_person(work, result.effect)
            if results:
                await work.jobs.record_results(run.lane, run.job.job_id, results)
            run.is_outdated = run.is_outdated or await work.jobs.asked() != run.asked

    async def _look_at(self, run: Run, room_ids: Iterable[RoomID]) -> None:
        """Read the state of rooms from Synapse, one request each: what we see is what we go by."""
        waiting = sorted(room_ids)
        for start in range(0, len(waiting), _ROOMS_A_RECORD):
            states: list[Sequence[MatrixEvent]] = []
            await _each(waiting[start : start + _ROOMS_A_RECORD], lambda room_id: self._read(run, room_id, states))  # noqa: B023 - awaited here
            async with self.database.work(run.tenant_id) as work:
                await work.rooms.record_state([event for state in states for event in state])
        run.touched.clear()
        run.made.clear()

    async def _read(self, run: Run, room_id: RoomID, states: list[Sequence[MatrixEvent]]) -> None:
        run.unreadable.pop(room_id, None)
        try:
            states.append(await self.homeserver.room_state(room_id, viewer=run.viewer_of(room_id)))
        except DependencyDown:
            raise
        except BitnexusError as refusal:
            run.unreadable[room_id] = refusal.sentence

    async def _finish(self, run: Run, outcome: JobOutcome) -> None:
        if outcome.error:
            _log.warning("a tenant does not stand as desired", tenant_id=run.tenant_id, error=outcome.error)
        elif run.job.verify and run.applied:
            _log.warning("verification mended what no event told of", tenant_id=run.tenant_id, effects=run.applied)
        async with self.database.act(run.tenant_id, SYSTEM_ACTOR) as act:
            await act.jobs.finish(run.lane, run.job.job_id, outcome)
            if run.applied or len(run.failed) > run.withheld:
                details: dict[str, Json] = {
                    "job_id": run.job.job_id,
                    "applied": run.applied,
                    "failed": len(run.failed),
                }
                await act.audit(AuditEntry(action="tenant.reconciled", target=run.tenant_id, details=details))
            else:
                act.nothing_changed()


async def _record_person(work: Work, effect: Effect) -> None:
    match effect:
        case RegisterUser(user_id=user_id):
            await work.people.record_registered(user_id)
        case SetDisplayName(user_id=user_id, display_name=display_name):
            await work.people.record_profile_name(user_id, display_name)
        case SetAvatar(user_id=user_id, avatar_url=avatar_url):
            await work.people.record_profile_avatar(user_id, avatar_url)
        case _:
            pass


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
