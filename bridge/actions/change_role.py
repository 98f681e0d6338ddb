"""Give a person of a tenant another role, as the backend or as somebody above them."""

from dataclasses import dataclass

from bridge.actions.change_members import change_members
from bridge.actions.hold_tenant import Administrator, hold_administered_tenant
from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.errors import Forbidden, NotFound
from bridge.model.change import Change, MemberWish
from bridge.model.ids import MemberID, TenantID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Role
from bridge.policy.authority import may_set_role, member_of
from bridge.ports import Database, Entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRole:
    """Store a role of somebody who is in the tenant; the power in its rooms follows."""

    database: Database
    house: MatrixHouse
    entropy: Entropy

    async def __call__(
        self, tenant_id: TenantID, member_id: MemberID, *, role: Role, credential: Administrator
    ) -> Change:
        """Return the revision and the job; raises NotFound, Forbidden, and Conflict for the last owner."""
        async with self.database.act(tenant_id, credential.actor) as act:
            tenant, administrator = await hold_administered_tenant(act, credential)
            member = member_of(tenant, member_id)
            if member is None:
                raise NotFound("there is no such member in this tenant")
            if administrator and not may_set_role(administrator.role, present=member.role, new=role):
                raise Forbidden("admins give and take only roles below their own")
            wish = MemberWish(member_id=member_id, role=role)
            await change_members(act, tenant, wishes=[wish], house=self.house, entropy=self.entropy)
            return await ask_for_reconcile(act, self.house)
