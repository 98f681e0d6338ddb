"""Put a person into a tenant, or change their role or name."""

from dataclasses import dataclass

from bridge.actions.change_members import change_members
from bridge.actions.hold_tenant import follow_people, hold_tenant
from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.model.audit import Actor
from bridge.model.change import Change, MemberWish
from bridge.model.ids import MemberID, TenantID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Role
from bridge.ports import Database, Entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class PutMember:
    """Store a membership; reconcile then joins the person everywhere they belong."""

    database: Database
    house: MatrixHouse
    entropy: Entropy

    async def __call__(
        self, tenant_id: TenantID, member_id: MemberID, *, role: Role, display_name: str | None, acting_user: Actor
    ) -> Change:
        """Return the revision and the reconcile's job; raises NotFound for an unknown tenant, Conflict."""
        wish = MemberWish(member_id=member_id, role=role, display_name=display_name)
        async with self.database.act(tenant_id, acting_user) as act:
            tenant = await hold_tenant(act)
            await change_members(act, tenant, wishes=[wish], house=self.house, entropy=self.entropy)
            change = await ask_for_reconcile(act, self.house)
        await follow_people(self.database, self.house, [member_id], but=tenant_id)
        return change
