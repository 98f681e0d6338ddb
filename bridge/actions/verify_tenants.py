"""Have every room of tenants read and compared, whatever we believe to know of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.actions.plan_tenant import find_tenant
from bridge.model.ids import JobID, TenantID
from bridge.model.tenant import TenantStatus
from bridge.ports import Database

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyTenants:
    """Ask for reconciles that read everything first, one request a room."""

    database: Database

    async def __call__(self, tenant_ids: Sequence[TenantID]) -> Mapping[TenantID, JobID]:
        """Return the job of each tenant, of all there are when none is named; raises NotFound."""
        wanted = tenant_ids or await self._all()
        return {tenant_id: await self._ask(tenant_id) for tenant_id in wanted}

    async def _all(self) -> list[TenantID]:
        found: list[TenantID] = []
        after: TenantID | None = None
        while page := await self.database.list_tenants(after=after, limit=_PAGE):
            found += [tenant.tenant_id for tenant in page if tenant.status is not TenantStatus.REMOVED]
            after = page[-1].tenant_id
        return found

    async def _ask(self, tenant_id: TenantID) -> JobID:
        async with self.database.work(tenant_id) as work:
            tenant = await find_tenant(work)
            return await work.jobs.enqueue(tenant.revision, verify=True)
