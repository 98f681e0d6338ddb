"""Hold a tenant for a change: nobody else changes it meanwhile, and the asker may."""

from bridge.actions.plan_tenant import ask_for_reconcile, find_tenant
from bridge.errors import Conflict, Forbidden, NotFound
from bridge.model.credential import PlatformCredential, SessionCredential
from bridge.model.ids import MemberID, TenantID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Member, Tenant, TenantStatus
from bridge.policy.authority import may_administer, member_of
from bridge.ports import Act, Database, Work

Administrator = PlatformCredential | SessionCredential
"""Who may change rooms and roles: the BitNexus backend, or an owner or admin of the tenant."""


async def hold_tenant(act: Act) -> Tenant:
    """Lock and return the transaction's tenant; raises NotFound, or Conflict once it is being removed."""
    await act.tenants.lock()
    tenant = await find_tenant(act)
    refuse_removed(tenant)
    return tenant


async def hold_administered_tenant(act: Act, credential: Administrator) -> tuple[Tenant, Member | None]:
    """Lock and return the tenant, and who administers it (None: the platform); raises as ``find_administered``."""
    await act.tenants.lock()
    tenant, administrator = await find_administered(act, credential)
    refuse_removed(tenant)
    return tenant, administrator


async def find_administered(work: Work, credential: Administrator) -> tuple[Tenant, Member | None]:
    """Return the tenant and who asks (None: the platform).

    Raises NotFound where the asker does not belong, as if there were none, and Forbidden where they may not.
    """
    tenant = await work.tenants.find()
    if isinstance(credential, PlatformCredential):
        member = None
    else:
        member = member_of(tenant, credential.member_id) if tenant else None
        tenant = tenant if member else None
    if tenant is None:
        raise NotFound("there is no such tenant")
    if member is not None and tenant.status is not TenantStatus.ACTIVE:
        raise Forbidden("this tenant is not active")
    if member is not None and not may_administer(member.role):
        raise Forbidden("only owners and admins of this tenant may do this")
    return tenant, member


def refuse_removed(tenant: Tenant) -> None:
    """Raise Conflict for a tenant whose time of grace is over."""
    if tenant.status in {TenantStatus.REMOVING, TenantStatus.REMOVED}:
        raise Conflict("this tenant was off-boarded and its time of grace is over; nothing of it can be changed")


async def follow_people(database: Database, house: MatrixHouse, member_ids: list[MemberID], *, but: TenantID) -> None:
    """Ask for reconciles of the suspended tenants of people whose other tenants have changed.

    Whether somebody stays in a suspended tenant's rooms depends on whether they have another, active one.
    """
    for tenant_id in await database.suspended_tenants_of(member_ids):
        if tenant_id != but:
            async with database.work(tenant_id) as work:
                await ask_for_reconcile(work, house)
