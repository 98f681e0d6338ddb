"""Look after tenants that nobody asks about: those that do not stand as desired, and those not read for long."""

from dataclasses import dataclass

from bridge.actions.plan_tenant import find_tenant
from bridge.model.ids import TenantID
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepTenants:
    """Ask for reconciles, a few each time; in between a tenant costs nothing.

    Every tenant's rooms are read once within ``verify_seconds``, spread over that time, one request a room.
    """

    database: Database
    verify_seconds: float
    look_seconds: float

    async def __call__(self) -> int:
        """Return how many reconciles were asked for; raises DependencyDown."""
        due = await self.database.tenants_due(verify_seconds=self.verify_seconds, look_seconds=self.look_seconds)
        for tenant in due:
            await self._ask(tenant.tenant_id, verify=tenant.verify)
        return len(due)

    async def _ask(self, tenant_id: TenantID, *, verify: bool) -> None:
        async with self.database.work(tenant_id) as work:
            tenant = await find_tenant(work)
            await work.jobs.enqueue(tenant.revision, verify=verify)
