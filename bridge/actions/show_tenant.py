"""Read desired state: tenants, their members, people, and jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.actions.plan_tenant import ask_for_reconcile, find_tenant, people_in
from bridge.errors import NotFound
from bridge.model.change import Change
from bridge.model.ids import PLATFORM, JobID, MemberID, TenantID, UserID
from bridge.model.job import Job
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Person, Tenant, TenantSummary
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTenant:
    """Return a tenant as it is desired."""

    database: Database

    async def __call__(self, tenant_id: TenantID) -> Tenant:
        """Return the tenant; raises NotFound."""
        async with self.database.work(tenant_id) as work:
            return await find_tenant(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTenants:
    """Return tenants page by page."""

    database: Database

    async def __call__(self, *, after: TenantID | None, limit: int) -> Sequence[TenantSummary]:
        """Return up to ``limit`` tenants behind ``after``, in the order of their ids."""
        return await self.database.list_tenants(after=after, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPerson:
    """Return a person of BitNexus."""

    database: Database

    async def __call__(self, member_id: MemberID) -> Person:
        """Return the person; raises NotFound."""
        async with self.database.work(PLATFORM) as work:
            person = await work.people.find(member_id)
        if person is None:
            raise NotFound("there is no such person")
        return person


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowJob:
    """Return a job with the result of each effect."""

    database: Database

    async def __call__(self, job_id: JobID) -> tuple[Job, Mapping[UserID, MemberID]]:
        """Return the job, and who the people in it are; raises NotFound."""
        tenant_id = await self.database.tenant_of_job(job_id)
        if tenant_id is not None:
            async with self.database.work(tenant_id) as work:
                job = await work.jobs.find(job_id)
                if job is not None:
                    return job, await work.people.member_ids(people_in(effect.target for effect in job.effects))
        raise NotFound("there is no such job")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReconcile:
    """Ask for a reconcile of a tenant."""

    database: Database
    house: MatrixHouse

    async def __call__(self, tenant_id: TenantID) -> Change:
        """Return the job, or None for it when all is as desired; raises NotFound."""
        async with self.database.work(tenant_id) as work:
            return await ask_for_reconcile(work, self.house)
