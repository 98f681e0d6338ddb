"""Off-board a tenant: suspend it at once, remove it when its time of grace is over."""

from dataclasses import dataclass, replace
from datetime import datetime

from bridge.actions.hold_tenant import follow_people
from bridge.actions.plan_tenant import ask_for_reconcile, find_tenant, plan_of
from bridge.actions.speak_on_alliance import end_alliances
from bridge.model.audit import SYSTEM_ACTOR, Actor, AuditEntry
from bridge.model.change import Change, Offboarding
from bridge.model.ids import TenantID
from bridge.model.json import Json
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Tenant, TenantStatus
from bridge.policy.desired import offboard, removing
from bridge.ports import Act, Clock, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class OffboardTenant:
    """Suspend a tenant and set the day of its removal; to make it active again before that day calls it off."""

    database: Database
    house: MatrixHouse
    clock: Clock
    usual_days: int

    async def __call__(self, tenant_id: TenantID, wish: Offboarding, *, acting_user: Actor) -> tuple[Change, Tenant]:
        """Return the revision, the job and the tenant as it now is; asked again nothing changes; raises NotFound."""
        async with self.database.act(tenant_id, acting_user) as act:
            await act.tenants.lock()
            tenant = await find_tenant(act)
            wanted = tenant
            if tenant.status not in {TenantStatus.REMOVING, TenantStatus.REMOVED}:
                wanted = offboard(tenant, wish, now=self.clock.now(), usual_days=self.usual_days)
            if wanted == tenant:
                act.nothing_changed()
            else:
                await _store(act, wanted, now=self.clock.now())
            change = await ask_for_reconcile(act, self.house)
        await follow_people(self.database, self.house, [m.member_id for m in tenant.members], but=tenant_id)
        return change, wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveOffboardedTenants:
    """Remove tenants whose time of grace is over: first everybody leaves, then they are marked as removed.

    Rooms and what was said in them stay in Matrix, with our bots alone in them; deleting content is an erasure's work.
    """

    database: Database
    house: MatrixHouse
    clock: Clock

    async def __call__(self) -> int:
        """Take each tenant a step further, and return how many have become removed; raises DependencyDown."""
        removed = 0
        for tenant_id in await self.database.tenants_to_remove(self.clock.now()):
            removed += await self._step(tenant_id)
        return removed

    async def _step(self, tenant_id: TenantID) -> bool:
        async with self.database.act(tenant_id, SYSTEM_ACTOR) as act:
            await act.tenants.lock()
            tenant = await find_tenant(act)
            # looked at again under the lock: it may have been made active since
            if tenant.removes_at is None or tenant.removes_at > self.clock.now():
                act.nothing_changed()
                return False
            if tenant.status is not TenantStatus.REMOVING:
                tenant = removing(replace(tenant, revision=tenant.revision + 1))
                await _store(act, tenant, now=self.clock.now())
            is_empty = not (await plan_of(act, tenant, self.house)).effects
            if is_empty:
                await _mark_removed(act, tenant)
            else:
                await ask_for_reconcile(act, self.house)
                act.nothing_changed()
        return is_empty


async def _store(act: Act, tenant: Tenant, *, now: datetime) -> None:
    await act.tenants.save(tenant)
    details: dict[str, Json] = {
        "revision": tenant.revision,
        "status": tenant.status.value,
        "removes_at": tenant.removes_at.isoformat() if tenant.removes_at else None,
    }
    if tenant.status is TenantStatus.REMOVING:
        details["revoked_keys"] = await act.keys.revoke_all()
        await end_alliances(act, tenant.tenant_id, now=now)
    await act.audit(AuditEntry(action="tenant.offboarded", target=tenant.tenant_id, details=details))


async def _mark_removed(act: Act, tenant: Tenant) -> None:
    await act.tenants.remove_members([member.member_id for member in tenant.members])
    await act.tenants.save(replace(tenant, status=TenantStatus.REMOVED, revision=tenant.revision + 1))
    details: dict[str, Json] = {"revision": tenant.revision + 1, "members": len(tenant.members)}
    await act.audit(AuditEntry(action="tenant.removed", target=tenant.tenant_id, details=details))
