"""Take a person out of a tenant."""

from dataclasses import dataclass

from bridge.actions.plan_tenant import ask_for_reconcile, find_tenant
from bridge.errors import NotFound
from bridge.model.audit import Actor, AuditEntry
from bridge.model.change import Change
from bridge.model.ids import MemberID, TenantID
from bridge.model.room import MatrixHouse
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMember:
    """End a membership; reconcile then takes the person out of every room of the tenant."""

    database: Database
    house: MatrixHouse

    async def __call__(self, tenant_id: TenantID, member_id: MemberID, *, acting_user: Actor) -> Change:
        """Return the revision and the reconcile's job; raises NotFound when they are not in the tenant."""
        async with self.database.act(tenant_id, acting_user) as act:
            await act.tenants.lock()
            tenant = await find_tenant(act)
            before = next((member for member in tenant.members if member.member_id == member_id), None)
            if before is None:
                raise NotFound("there is no such member in this tenant")
            await act.tenants.remove_member(member_id)
            revision = await act.tenants.bump_revision()
            details = {"revision": revision, "old_role": before.role.value}
            await act.audit(AuditEntry(action="member.removed", target=member_id, details=details))
            return await ask_for_reconcile(act, self.house)
