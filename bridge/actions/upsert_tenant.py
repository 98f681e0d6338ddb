"""Make a tenant what the BitNexus backend asks for."""

from dataclasses import dataclass

from bridge.actions.hold_tenant import follow_people, refuse_removed
from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.model.audit import Actor, AuditEntry
from bridge.model.change import Change, TenantWish
from bridge.model.ids import TenantID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Tenant
from bridge.policy.desired import apply_wish
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertTenant:
    """Store a tenant's desired state; the same wish again changes nothing and makes no Matrix request."""

    database: Database
    house: MatrixHouse

    async def __call__(self, tenant_id: TenantID, wish: TenantWish, *, acting_user: Actor) -> Change:
        """Return the revision and the reconcile's job; raises InvalidInput, or Conflict once it is removed."""
        async with self.database.act(tenant_id, acting_user) as act:
            await act.tenants.lock()
            current = await act.tenants.find()
            if current is not None:
                refuse_removed(current)
            wanted = apply_wish(tenant_id, current, wish)
            if wanted == current:
                act.nothing_changed()
            else:
                await act.tenants.save(wanted)
                await act.audit(_entry(current, wanted))
            change = await ask_for_reconcile(act, self.house)
        if current is not None and current.status is not wanted.status:
            member_ids = [member.member_id for member in current.members]
            await follow_people(self.database, self.house, member_ids, but=tenant_id)
        return change


def _entry(current: Tenant | None, wanted: Tenant) -> AuditEntry:
    return AuditEntry(
        action="tenant.changed" if current else "tenant.created",
        target=wanted.tenant_id,
        details={
            "revision": wanted.revision,
            "status": wanted.status.value,
            "rooms": [room.key for room in wanted.rooms if not room.archived and not room.personal],
        },
    )
