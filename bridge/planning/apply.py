"""Store what a file wishes for, or ask for everything to be read, and watch a running bridge do it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bridge.actions.plan_wish import WholeWish, WishPlan
from bridge.model.audit import Actor
from bridge.model.ids import JobID, TenantID
from bridge.model.job import EffectResult, Job
from bridge.planning.desk import Desk

OPERATOR = Actor(kind="platform", id="operator")
"""Who stands in the audit log for what the command line changes."""

_LOOK_SECONDS = 0.3
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it ended for a tenant: ``made`` counts the effects that were, ``left`` those that are still to be."""

    tenant_id: TenantID
    made: int
    failed: tuple[EffectResult, ...]
    error: str | None
    left: int

    @property
    def is_done(self) -> bool:
        """Whether everything stands as desired."""
        return not self.failed and self.error is None and not self.left


@dataclass(slots=True, kw_only=True)
class Application:
    """One application of a file."""

    desk: Desk
    console: Console
    _last_news: float = field(default_factory=time.monotonic)
    _news: object = None
    _has_warned: bool = False

    async def run(self, wishes: Sequence[WholeWish], plans: Sequence[WishPlan]) -> list[Outcome]:
        """Store each wish and wait for its jobs; returns how it ended, tenant by tenant."""
        with self._bars() as bars:
            jobs: dict[TenantID, list[JobID]] = {}
            storing = bars.add_task("Storing", total=len(wishes))
            for wish, plan in zip(wishes, plans, strict=True):
                jobs[wish.tenant_id] = await self._store(wish, plan)
                bars.advance(storing)
            await self._watch(bars, [job_id for ids in jobs.values() for job_id in ids])
        return [await self._outcome(tenant_id, ids) for tenant_id, ids in jobs.items()]

    async def verify(self, tenant_ids: Sequence[TenantID]) -> list[Outcome]:
        """Have every room of tenants read, of all when none is named; returns how it ended, tenant by tenant."""
        jobs = await self.desk.verify_tenants(tenant_ids)
        with self._bars() as bars:
            await self._watch(bars, list(jobs.values()))
        return [await self._outcome(tenant_id, [job_id]) for tenant_id, job_id in jobs.items()]

    def _bars(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )

    async def _store(self, wish: WholeWish, plan: WishPlan) -> list[JobID]:
        changes = [await self.desk.upsert_tenant(wish.tenant_id, wish.tenant, acting_user=OPERATOR)]
        if wish.members is not None:
            changes.append(
                await self.desk.replace_members(
                    wish.tenant_id, wish.members, confirm_plan=plan.confirmation, acting_user=OPERATOR
                )
            )
        return list(dict.fromkeys(change.job_id for change in changes if change.job_id is not None))

    async def _watch(self, bars: Progress, job_ids: Sequence[JobID]) -> None:
        """Show effects as they are made, until every job is over."""
        if not job_ids:
            return
        reconciling = bars.add_task("Reconciles", total=len(job_ids))
        making = bars.add_task("In Matrix", total=None)
        seen = {job_id: await self._job(job_id) for job_id in job_ids}
        while True:
            waiting = [job_id for job_id, job in seen.items() if job.state not in {"done", "failed"}]
            bars.update(reconciling, completed=len(seen) - len(waiting))
            _update(bars, making, list(seen.values()))
            if not waiting:
                return
            self._warn_when_nothing_happens(list(seen.values()))
            seen |= {job_id: await self._job(job_id) for job_id in waiting}
            await asyncio.sleep(_LOOK_SECONDS)

    async def _job(self, job_id: JobID) -> Job:
        job, _ = await self.desk.show_job(job_id)
        return job

    def _warn_when_nothing_happens(self, jobs: Sequence[Job]) -> None:
        news = [(job.state, sum(effect.state != "pending" for effect in job.effects)) for job in jobs]
        now = time.monotonic()
        if news != self._news:
            self._news, self._last_news, self._has_warned = news, now, False
        elif now - self._last_news > _PATIENCE_SECONDS and not self._has_warned:
            self._has_warned = True
            self.console.print(
                "Nothing has happened for 5 seconds. The work is stored and waits for a bridge: is "
                "'bitnexus-chat run' running, and is Synapse up? 'bitnexus-chat doctor' tells.",
                style="yellow",
            )

    async def _outcome(self, tenant_id: TenantID, job_ids: Sequence[JobID]) -> Outcome:
        jobs = [await self._job(job_id) for job_id in job_ids]
        plan, _ = await self.desk.plan_tenant(tenant_id)
        last = jobs[-1] if jobs else None
        return Outcome(
            tenant_id=tenant_id,
            made=sum(effect.state == "done" for job in jobs for effect in job.effects),
            failed=tuple(effect for effect in last.effects if effect.state == "failed") if last else (),
            error=last.error if last else None,
            left=len(plan.effects),
        )


def _update(bars: Progress, task: TaskID, jobs: Sequence[Job]) -> None:
    effects = [effect for job in jobs for effect in job.effects]
    done = sum(effect.state != "pending" for effect in effects)
    bars.update(task, total=len(effects) or None, completed=done)
