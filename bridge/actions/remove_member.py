"""Take a person out of a tenant."""

from dataclasses import dataclass

from bridge.actions.change_members import change_members
from bridge.actions.hold_tenant import follow_people, hold_tenant
from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.errors import NotFound
from bridge.model.audit import Actor
from bridge.model.change import Change
from bridge.model.ids import MemberID, TenantID
from bridge.model.room import MatrixHouse
from bridge.policy.authority import member_of
from bridge.ports import Database, Entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMember:
    """End a membership; reconcile then takes the person out of every room of the tenant."""

    database: Database
    house: MatrixHouse
    entropy: Entropy

    async def __call__(self, tenant_id: TenantID, member_id: MemberID, *, acting_user: Actor) -> Change:
        """Return the revision and the job; raises NotFound when they are not in it, Conflict for the last owner."""
        async with self.database.act(tenant_id, acting_user) as act:
            tenant = await hold_tenant(act)
            if member_of(tenant, member_id) is None:
                raise NotFound("there is no such member in this tenant")
            await change_members(act, tenant, removed=[member_id], house=self.house, entropy=self.entropy)
            change = await ask_for_reconcile(act, self.house)
        await follow_people(self.database, self.house, [member_id], but=tenant_id)
        return change
