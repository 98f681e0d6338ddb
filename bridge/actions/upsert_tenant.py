"""Make a tenant what the BitNexus backend asks for."""

from dataclasses import dataclass

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
        """Return the revision and the reconcile's job; raises InvalidInput."""
        async with self.database.act(tenant_id, acting_user) as act:
            await act.tenants.lock()
            current = await act.tenants.find()
            wanted = apply_wish(tenant_id, current, wish)
            if wanted == current:
                act.nothing_changed()
            else:
                await act.tenants.save(
                    name=wanted.name,
                    status=wanted.status,
                    settings=wanted.settings,
                    revision=wanted.revision,
                    rooms=wanted.rooms,
                )
                await act.audit(_entry(current, wanted))
            return await ask_for_reconcile(act, self.house)


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
